module github.com/adfedkit/adfedkit/permissionset/ssoadminsdk

go 1.26.0

replace github.com/adfedkit/adfedkit => ../..

require (
	github.com/adfedkit/adfedkit v0.0.0
	github.com/aws/aws-sdk-go-v2 v1.47.7
	github.com/aws/aws-sdk-go-v2/service/ssoadmin v1.52.4
)

require (
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.5.10 // indirect
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.8.10 // indirect
	github.com/aws/smithy-go v1.28.8 // indirect
	golang.org/x/text v0.43.0 // indirect
)
