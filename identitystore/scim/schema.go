package scim

import "github.com/adfedkit/adfedkit/identitystore/scim/scimfilter"

const (
	urnUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	urnGroup      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	urnEnterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	urnGroupExt   = "urn:adfedkit:params:scim:schemas:extension:2.0:Group"
	urnError      = "urn:ietf:params:scim:api:messages:2.0:Error"
	urnList       = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	urnSearch     = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	urnBulk       = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	urnBulkAnswer = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
)

type resourceType uint8

const (
	users resourceType = iota
	groups
)

func (t resourceType) String() string {
	if t == users {
		return "Users"
	}
	return "Groups"
}

func (t resourceType) name() string {
	if t == users {
		return "User"
	}
	return "Group"
}

func (t resourceType) schema() *scimfilter.Schema {
	if t == users {
		return userSchema
	}
	return groupSchema
}

// UserSchema returns the schema of users with the enterprise extension. Treat it as read-only.
func UserSchema() *scimfilter.Schema { return userSchema }

// GroupSchema returns the schema of groups. Treat it as read-only.
func GroupSchema() *scimfilter.Schema { return groupSchema }

func text(name, description string) scimfilter.Attribute {
	return scimfilter.Attribute{Name: name, Type: scimfilter.String, Description: description, Mutability: scimfilter.ReadWrite, Returned: "default", Uniqueness: "none"}
}

func typed(a scimfilter.Attribute, t scimfilter.Type) scimfilter.Attribute {
	a.Type = t
	return a
}

func readOnly(a scimfilter.Attribute) scimfilter.Attribute {
	a.Mutability = scimfilter.ReadOnly
	return a
}

func parts(a scimfilter.Attribute, multi bool, sub ...scimfilter.Attribute) scimfilter.Attribute {
	a.Type, a.MultiValued, a.SubAttributes = scimfilter.Complex, multi, sub
	return a
}

// plural is a list of elements with value, display, type and primary (RFC 7643 section 2.4).
func plural(name, description string, value scimfilter.Type) scimfilter.Attribute {
	return parts(text(name, description), true,
		typed(text("value", "The value."), value), text("display", "A name for people."), text("type", "A label such as work or home."),
		typed(text("primary", "Whether this is the preferred element."), scimfilter.Boolean))
}

func exact(a scimfilter.Attribute) scimfilter.Attribute {
	a.CaseExact = true
	return a
}

// required is a name that must be there and is unique in the tenant.
func required(a scimfilter.Attribute) scimfilter.Attribute {
	a.Required, a.Uniqueness = true, "server"
	return a
}

//nolint:gochecknoglobals // never changes
var userSchema = &scimfilter.Schema{
	ID: urnUser, Name: "User", Description: "User Account",
	Attributes: []scimfilter.Attribute{
		required(text("userName", "The name by which the user signs in, unique without regard to case.")),
		parts(text("name", "The parts of the name."), false,
			text("formatted", "The full name."), text("familyName", "The family name."), text("givenName", "The given name."),
			text("middleName", "The middle name."), text("honorificPrefix", "A title before the name."), text("honorificSuffix", "A suffix of the name.")),
		text("displayName", "The name as it is shown."),
		text("nickName", "The casual name."),
		typed(text("profileUrl", "A page about the user."), scimfilter.Reference),
		text("title", "The user's position."),
		text("userType", "The relation to the organisation."),
		text("preferredLanguage", "Languages in the form of Accept-Language."),
		text("locale", "The locale for formats."),
		text("timezone", "The time zone's name."),
		typed(text("active", "Whether the user may be used."), scimfilter.Boolean),
		plural("emails", "E-mail addresses.", scimfilter.String),
		plural("phoneNumbers", "Telephone numbers.", scimfilter.String),
		plural("ims", "Addresses for instant messages.", scimfilter.String),
		plural("photos", "Pictures.", scimfilter.Reference),
		parts(text("addresses", "Postal addresses."), true,
			text("formatted", "The whole address."), text("streetAddress", "Street and number."), text("locality", "City."), text("region", "State or region."),
			text("postalCode", "Postal code."), text("country", "Country."), text("type", "A label such as work or home."),
			typed(text("primary", "Whether this is the preferred element."), scimfilter.Boolean)),
		readOnly(parts(text("groups", "The groups that the user is a member of."), true,
			readOnly(exact(text("value", "The group's id."))), readOnly(typed(text("$ref", "The group's location."), scimfilter.Reference)),
			readOnly(text("display", "The group's name.")), readOnly(text("type", "direct or indirect.")))),
		plural("entitlements", "Entitlements.", scimfilter.String),
		plural("roles", "Roles.", scimfilter.String),
		plural("x509Certificates", "Certificates.", scimfilter.Binary),
	},
	Extensions: []*scimfilter.Schema{{
		ID: urnEnterprise, Name: "EnterpriseUser", Description: "Enterprise User",
		Attributes: []scimfilter.Attribute{
			text("employeeNumber", "The number of the employee."), text("costCenter", "The cost center."), text("organization", "The organisation."),
			text("division", "The division."), text("department", "The department."),
			parts(text("manager", "The manager."), false,
				exact(text("value", "The id of the manager.")), typed(text("$ref", "The location of the manager."), scimfilter.Reference), text("displayName", "The name of the manager.")),
		},
	}},
}

//nolint:gochecknoglobals // never changes
var groupSchema = &scimfilter.Schema{
	ID: urnGroup, Name: "Group", Description: "Group",
	Attributes: []scimfilter.Attribute{
		required(text("displayName", "The name of the group, unique without regard to case.")),
		parts(text("members", "The direct members."), true,
			exact(text("value", "The id of the member.")), typed(text("$ref", "The location of the member."), scimfilter.Reference),
			text("type", "User or Group."), text("display", "The name of the member.")),
	},
	Extensions: []*scimfilter.Schema{{
		ID: urnGroupExt, Name: "GroupDescription", Description: "Description of a group",
		Attributes: []scimfilter.Attribute{text("description", "What the group is for.")},
	}},
}
