package saml_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/saml"
)

func awsGood() saml.AWSAttributes {
	return saml.AWSAttributes{
		Roles:           []saml.AWSRole{{RoleARN: "arn:aws:iam::111122223333:role/adfedkit_LogArchiveReadOnly", ProviderARN: "arn:aws:iam::111122223333:saml-provider/ADFS"}},
		RoleSessionName: "alice@example.com", SessionDuration: time.Hour, SourceIdentity: "alice",
		PrincipalTags: map[string]string{"dept": "Engineering", "team": ""}, TransitiveTagKeys: []string{"dept"},
	}
}

func TestAWSAttributes(t *testing.T) {
	t.Parallel()
	list, err := awsGood().Attributes()
	require.NoError(t, err)
	require.Equal(t, "arn:aws:iam::111122223333:role/adfedkit_LogArchiveReadOnly,arn:aws:iam::111122223333:saml-provider/ADFS", list[0].Values[0].Value, "role first")
	got, err := saml.ParseAWSAttributes(append(list, saml.NewAttribute("mail", "x")))
	require.NoError(t, err)
	require.Equal(t, awsGood(), got)
	r, err := saml.ParseAWSRole("arn:aws-cn:iam::111122223333:saml-provider/P, arn:aws-cn:iam::111122223333:role/path/R")
	require.NoError(t, err)
	require.Equal(t, "arn:aws-cn:iam::111122223333:role/path/R", r.RoleARN, "either order is read")
	for name, change := range map[string]func(*saml.AWSAttributes){
		"no role":             func(a *saml.AWSAttributes) { a.Roles = nil },
		"role of another":     func(a *saml.AWSAttributes) { a.Roles[0].ProviderARN = "arn:aws:iam::999999999999:saml-provider/ADFS" },
		"no role ARN":         func(a *saml.AWSAttributes) { a.Roles[0].RoleARN = "arn:aws:iam::111122223333:user/alice" },
		"comma in role":       func(a *saml.AWSAttributes) { a.Roles[0].RoleARN += ",x" },
		"no session name":     func(a *saml.AWSAttributes) { a.RoleSessionName = "" },
		"session name short":  func(a *saml.AWSAttributes) { a.RoleSessionName = "a" },
		"session name long":   func(a *saml.AWSAttributes) { a.RoleSessionName = strings.Repeat("a", 65) },
		"session name blank":  func(a *saml.AWSAttributes) { a.RoleSessionName = "a b" },
		"session name umlaut": func(a *saml.AWSAttributes) { a.RoleSessionName = "älice" },
		"duration short":      func(a *saml.AWSAttributes) { a.SessionDuration = 899 * time.Second },
		"duration long":       func(a *saml.AWSAttributes) { a.SessionDuration = 43201 * time.Second },
		"duration fraction":   func(a *saml.AWSAttributes) { a.SessionDuration += time.Millisecond },
		"source identity":     func(a *saml.AWSAttributes) { a.SourceIdentity = "a" },
		"tag key empty":       func(a *saml.AWSAttributes) { a.PrincipalTags[""] = "x" },
		"tag key long":        func(a *saml.AWSAttributes) { a.PrincipalTags[strings.Repeat("k", 129)] = "x" },
		"tag value long":      func(a *saml.AWSAttributes) { a.PrincipalTags["dept"] = strings.Repeat("v", 257) },
		"too many tags": func(a *saml.AWSAttributes) {
			for i := range 51 {
				a.PrincipalTags["k"+strconv.Itoa(i)] = "v"
			}
		},
		"transitive unknown": func(a *saml.AWSAttributes) { a.TransitiveTagKeys = []string{"other"} },
		"transitive twice":   func(a *saml.AWSAttributes) { a.TransitiveTagKeys = []string{"dept", "dept"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := awsGood()
			change(&a)
			list, err := a.Attributes()
			require.Nil(t, list)
			require.Equal(t, saml.ReasonAttribute, saml.ReasonOf(err))
		})
	}
}

func TestParseAWSAttributesRefuses(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]saml.Attribute{
		"role twice":          {saml.NewAttribute(saml.AWSAttributeRole, "x")},
		"lower case name":     {saml.NewAttribute(saml.AWSAttributePrefix+"role", "x")},
		"tag with two values": {saml.NewAttribute(saml.AWSAttributePrincipalTag+"x", "a", "b")},
		"unknown":             {saml.NewAttribute(saml.AWSAttributePrefix+"Other", "x")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := awsGood().Attributes()
			require.NoError(t, err)
			got, err := saml.ParseAWSAttributes(append(list, more...))
			require.Equal(t, saml.ReasonAttribute, saml.ReasonOf(err))
			require.Equal(t, saml.AWSAttributes{}, got)
		})
	}
	for name, replaceBy := range map[string]saml.Attribute{
		"no name value":    {Name: saml.AWSAttributeSessionName},
		"two names":        saml.NewAttribute(saml.AWSAttributeSessionName, "aa", "bb"),
		"bad pair":         saml.NewAttribute(saml.AWSAttributeRole, "arn:aws:iam::111122223333:role/R"),
		"duration no int":  saml.NewAttribute(saml.AWSAttributeDuration, "1h"),
		"duration zero":    saml.NewAttribute(saml.AWSAttributeDuration, "0"),
		"duration signed":  saml.NewAttribute(saml.AWSAttributeDuration, "-3600"),
		"source empty":     saml.NewAttribute(saml.AWSAttributeSourceID, ""),
		"transitive alone": saml.NewAttribute(saml.AWSAttributeTransitive, "nothing"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, err := awsGood().Attributes()
			require.NoError(t, err)
			for i := range list {
				if list[i].Name == replaceBy.Name {
					list[i] = replaceBy
				}
			}
			_, err = saml.ParseAWSAttributes(list)
			require.Equal(t, saml.ReasonAttribute, saml.ReasonOf(err))
		})
	}
}

func TestCheckIdentityCenter(t *testing.T) {
	t.Parallel()
	m, err := saml.ParseMetadata(metadataFile(t, "adfs-v3-metadata.xml"), saml.MetadataOptions{})
	require.NoError(t, err)
	require.Empty(t, m.CheckIdentityCenter())
	long := append(metadataFile(t, "adfs-v3-metadata.xml"), []byte("<!--"+strings.Repeat("x", 5000)+"-->")...)
	m, err = saml.ParseMetadata(long, saml.MetadataOptions{})
	require.NoError(t, err)
	require.Equal(t, "too_long", m.CheckIdentityCenter()[0].Code)
	minimal, err := m.Minimal()
	require.NoError(t, err)
	require.Empty(t, minimal.CheckIdentityCenter())

	m, err = saml.ParseMetadata(append([]byte("\xef\xbb\xbf"), plainMetadata(t, "", "")...), saml.MetadataOptions{})
	require.NoError(t, err)
	require.Equal(t, "byte_order_mark", m.CheckIAM()[0].Code)
	require.Equal(t, "no_identity_provider", (&saml.Metadata{EntityID: "x"}).CheckIAM()[0].Code)
	bare := &saml.Metadata{IDP: &saml.IDPDescriptor{}}
	require.Len(t, bare.CheckIdentityCenter(), 3)
	require.Contains(t, bare.CheckIdentityCenter()[0].String(), "entity_id")
	_, err = (&saml.Metadata{}).Minimal()
	require.Error(t, err)
}
