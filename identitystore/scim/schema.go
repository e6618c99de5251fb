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

// plural is a list of elements with value, display, type and primary (RFC 7643 section 2.4). Other labels than the usual
// ones are accepted.
func plural(name, description string, value scimfilter.Attribute, labels ...string) scimfilter.Attribute {
	return parts(text(name, description), true,
		value, text("display", "A name for people."), oneOf(text("type", "A label of the element."), labels...),
		typed(text("primary", "Whether this is the preferred element."), scimfilter.Boolean))
}

func value() scimfilter.Attribute { return text("value", "The value.") }

func oneOf(a scimfilter.Attribute, labels ...string) scimfilter.Attribute {
	a.Canonical = labels
	return a
}

func reference(a scimfilter.Attribute, to ...string) scimfilter.Attribute {
	a.Type, a.ReferenceTypes = scimfilter.Reference, to
	return a
}

// fixed is what a member cannot change while it is one (RFC 7643 section 4.2).
func fixed(a scimfilter.Attribute) scimfilter.Attribute {
	a.Mutability = scimfilter.Immutable
	return a
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
		reference(text("profileUrl", "A page about the user."), "external"),
		text("title", "The user's position."),
		text("userType", "The relation to the organisation."),
		text("preferredLanguage", "Languages in the form of Accept-Language."),
		text("locale", "The locale for formats."),
		text("timezone", "The time zone's name."),
		typed(text("active", "Whether the user may be used."), scimfilter.Boolean),
		plural("emails", "E-mail addresses.", value(), "work", "home", "other"),
		plural("phoneNumbers", "Telephone numbers.", value(), "work", "home", "mobile", "fax", "pager", "other"),
		plural("ims", "Addresses for instant messages.", value(), "aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
		plural("photos", "Pictures.", exact(reference(value(), "external")), "photo", "thumbnail"),
		parts(text("addresses", "Postal addresses."), true,
			text("formatted", "The whole address."), text("streetAddress", "Street and number."), text("locality", "City."), text("region", "State or region."),
			text("postalCode", "Postal code."), text("country", "Country."), oneOf(text("type", "A label of the address."), "work", "home", "other"),
			typed(text("primary", "Whether this is the preferred element."), scimfilter.Boolean)),
		readOnly(parts(text("groups", "The groups that the user is a member of."), true,
			readOnly(exact(text("value", "The group's id."))), readOnly(reference(text("$ref", "The group's location."), "Group")),
			readOnly(text("display", "The group's name.")), readOnly(oneOf(text("type", "Whether the membership is the user's own."), "direct", "indirect")))),
		plural("entitlements", "Entitlements.", value()),
		plural("roles", "Roles.", value()),
		plural("x509Certificates", "Certificates.", exact(typed(value(), scimfilter.Binary))),
	},
	Extensions: []*scimfilter.Schema{{
		ID: urnEnterprise, Name: "EnterpriseUser", Description: "Enterprise User",
		Attributes: []scimfilter.Attribute{
			text("employeeNumber", "The number of the employee."), text("costCenter", "The cost center."), text("organization", "The organisation."),
			text("division", "The division."), text("department", "The department."),
			parts(text("manager", "The manager."), false,
				exact(text("value", "The id of the manager.")), reference(text("$ref", "The location of the manager."), "User"), text("displayName", "The name of the manager.")),
		},
	}},
}

//nolint:gochecknoglobals // never changes
var groupSchema = &scimfilter.Schema{
	ID: urnGroup, Name: "Group", Description: "Group",
	Attributes: []scimfilter.Attribute{
		required(text("displayName", "The name of the group, unique without regard to case.")),
		parts(text("members", "The direct members."), true,
			fixed(exact(text("value", "The id of the member."))), fixed(reference(text("$ref", "The location of the member."), "User", "Group")),
			fixed(oneOf(text("type", "The kind of the member."), "User", "Group")), readOnly(text("display", "The name of the member."))),
	},
	Extensions: []*scimfilter.Schema{{
		ID: urnGroupExt, Name: "GroupDescription", Description: "Description of a group",
		Attributes: []scimfilter.Attribute{text("description", "What the group is for.")},
	}},
}
