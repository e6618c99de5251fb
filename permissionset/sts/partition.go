package sts

import (
	"net/url"
	"regexp"
	"strings"
)

// Partition is a group of AWS regions with addresses of its own.
type Partition string

// The partitions.
const (
	PartitionAWS   Partition = "aws" // also when empty
	PartitionGov   Partition = "aws-us-gov"
	PartitionChina Partition = "aws-cn"
)

// Valid reports whether the partition is known; the empty one is "aws".
func (p Partition) Valid() bool {
	return p == "" || p == PartitionAWS || p == PartitionGov || p == PartitionChina
}

func (p Partition) orDefault() Partition {
	if p == "" {
		return PartitionAWS
	}
	return p
}

func (p Partition) hosts() (signin, console, sts string) {
	switch p {
	case PartitionGov:
		return "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com", "amazonaws.com"
	case PartitionChina:
		return "signin.amazonaws.cn", "console.amazonaws.cn", "amazonaws.com.cn"
	default:
		return "signin.aws.amazon.com", "console.aws.amazon.com", "amazonaws.com"
	}
}

var regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)

// SigninHost returns the host of the sign-in page; a region selects its own host in the aws partition.
func (p Partition) SigninHost(region string) string {
	host, _, _ := p.hosts()
	if p.orDefault() == PartitionAWS && region != "" {
		return region + "." + host
	}
	return host
}

// ConsoleURL returns the address of the console.
func (p Partition) ConsoleURL() string {
	_, host, _ := p.hosts()
	return "https://" + host + "/"
}

// STSEndpoint returns the regional address of STS.
func (p Partition) STSEndpoint(region string) string {
	_, _, domain := p.hosts()
	if region == "" {
		region = map[Partition]string{PartitionGov: "us-gov-west-1", PartitionChina: "cn-north-1"}[p]
	}
	if region == "" {
		return "https://sts." + domain + "/"
	}
	return "https://sts." + region + "." + domain + "/"
}

// SAMLAudiences returns the audiences that STS accepts besides the recipient itself.
func (p Partition) SAMLAudiences() []string {
	switch p {
	case PartitionGov:
		return []string{"urn:amazon:webservices:govcloud"}
	case PartitionChina:
		return []string{"urn:amazon:webservices:cn-north-1"}
	default:
		return []string{"urn:amazon:webservices"}
	}
}

// SAMLRecipient reports whether url is an address that STS takes assertions for: the sign-in page, in the aws partition
// also that of any region.
func (p Partition) SAMLRecipient(url string) bool {
	host, _, _ := p.hosts()
	if url == "https://"+host+"/saml" {
		return true
	}
	rest, ok := strings.CutPrefix(url, "https://")
	region, ok2 := strings.CutSuffix(rest, "."+host+"/saml")
	return p.orDefault() == PartitionAWS && ok && ok2 && regionName.MatchString(region)
}

// ConsoleDestination reports whether a sign-in may end at the address: https on a host of the partition's console.
func (p Partition) ConsoleDestination(destination string) bool {
	if strings.ContainsAny(destination, "\\\r\n\t ") {
		return false
	}
	u, err := url.Parse(destination)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" && u.Port() != "443" || u.Opaque != "" {
		return false
	}
	_, console, _ := p.hosts()
	host := strings.ToLower(u.Hostname())
	if host == console || strings.HasSuffix(host, "."+console) {
		return true
	}
	return p.orDefault() == PartitionAWS && strings.HasSuffix(host, ".aws.amazon.com")
}
