package adfstrust

import (
	"strconv"
	"strings"

	"github.com/adfedkit/adfedkit/claims"
)

// A Migration lists what a move of a trust to IAM Identity Center needs.
type Migration struct {
	Trust       string       `json:"trust"`
	Mappings    []Mapping    `json:"mappings"`    // attribute mappings of the application that give the same values
	Assignments []Assignment `json:"assignments"` // who gets access, and roles that become permission sets
	Settings    []Setting    `json:"settings"`    // what is set elsewhere
	Obstacles   []Obstacle   `json:"obstacles"`   // what an attribute mapping cannot say
	Complete    bool         `json:"complete"`    // no obstacles
}

// A Mapping is one line of the application's attribute mappings.
type Mapping struct {
	Attribute string `json:"attribute"` // "Subject" for the name identifier
	Value     string `json:"value"`     // ${user:email}, or a text
	Format    string `json:"format"`
	Rule      int    `json:"rule"` // that does it in AD FS, from 1
}

// An Assignment is access that must be given to a user group.
type Assignment struct {
	Group string `json:"group"` // a SID, "everyone", or a pattern of group names
	To    string `json:"to"`    // "application", or what role names become: "permission sets"
	Rule  int    `json:"rule"`
}

// A Setting is a rule that Identity Center replaces by a setting.
type Setting struct {
	Rule int    `json:"rule"`
	What string `json:"what"`
}

// An Obstacle is a rule that has no counterpart.
type Obstacle struct {
	Set  string `json:"set"`  // "transform", "authorization" or "additional"
	Rule int    `json:"rule"` // from 1; 0 for the set as a whole
	Name string `json:"name,omitempty"`
	Why  string `json:"why"`
}

// attributesOfDirectory says which attribute of Identity Center holds an attribute of Active Directory, as they are mapped
// when AD is the identity source.
var attributesOfDirectory = map[string]string{ //nolint:gochecknoglobals // constant table
	"mail":              "${user:email}",
	"givenname":         "${user:givenName}",
	"sn":                "${user:familyName}",
	"displayname":       "${user:name}",
	"userprincipalname": "${user:subject}",
	"objectguid":        "${user:AD_GUID}",
	"objectsid":         "${user:AD_SID}",
}

// attributesOfTypes says the same for claims that are there before any rule.
func attributesOfTypes() map[string]string {
	return map[string]string{
		claims.TypeEmail: "${user:email}", claims.TypeGivenName: "${user:givenName}", claims.TypeSurname: "${user:familyName}",
		claims.TypeUPN: "${user:subject}", claims.TypePrimarySID: "${user:AD_SID}",
	}
}

// PlanMigration looks at every rule of a trust. It never guesses: what it cannot show to give the same result is an obstacle.
func PlanMigration(t *Trust) (*Migration, error) {
	m := &Migration{Trust: t.Name, Mappings: []Mapping{}, Assignments: []Assignment{}, Settings: []Setting{}, Obstacles: []Obstacle{}}
	p := &planner{m: m, from: attributesOfTypes(), made: map[string]bool{claims.TypeUPN: true, claims.TypePrimarySID: true}}
	for _, set := range []struct {
		name, property, text string
		visit                func(*claims.Rule, int)
	}{
		{"transform", "IssuanceTransformRules", t.IssuanceTransformRules, p.transform},
		{"authorization", "IssuanceAuthorizationRules", t.IssuanceAuthorizationRules, p.authorize},
		{"additional", "AdditionalAuthenticationRules", t.AdditionalAuthenticationRules, p.additional},
	} {
		rs, err := claims.Parse(set.text, claims.Options{})
		if err != nil {
			return nil, &RulesError{set.property, err}
		}
		p.set = set.name
		for i, r := range rs.Rules {
			set.visit(r, i+1)
		}
	}
	p.policy(t)
	p.singleValues()
	m.Complete = len(m.Obstacles) == 0
	return m, nil
}

type planner struct {
	m    *Migration
	set  string
	from map[string]string // claim type -> expression of Identity Center that has its value
	made map[string]bool   // claim types that are really there: made by a rule, or by every domain
}

// What stands in from beside expressions.
const (
	fromGroups  = "groups"  // names of groups
	fromSeveral = "several" // values of different origin
)

// learn notes where the values of a claim type come from. Two origins make two claims, which no mapping can do.
func (p *planner) learn(claimType, value string) {
	if p.made[claimType] && p.from[claimType] != value {
		value = fromSeveral
	}
	p.from[claimType], p.made[claimType] = value, true
}

func (p *planner) obstacle(r *claims.Rule, n int, why string) {
	o := Obstacle{Set: p.set, Rule: n, Why: why}
	if r != nil {
		o.Name = r.Name()
	}
	p.m.Obstacles = append(p.m.Obstacles, o)
}

func (p *planner) transform(r *claims.Rule, n int) {
	if s, ok := r.Statement.(*claims.FromStore); ok {
		p.fromDirectory(r, n, s)
		return
	}
	if role(r) {
		p.roles(r, n)
		return
	}
	if c, ok := r.Statement.(*claims.NewClaim); ok && len(r.Conditions) == 0 {
		p.static(r, n, c)
		return
	}
	t, ok := claims.Recognise(r)
	switch {
	case ok && t.Template == claims.TemplatePassAll:
		p.move(r, n, t.Incoming, t.Incoming, t.OutgoingFormat)
	case ok && t.Template == claims.TemplateMapAll:
		p.move(r, n, t.Incoming, t.Outgoing, t.OutgoingFormat)
	case ok && t.Template == claims.TemplateGroup:
		p.obstacle(r, n, "a value that depends on a group: Identity Center can only send the list of groups")
	case simpleMove(r):
		p.move(r, n, incoming(r), literalOf(r, claims.PropType), literalOf(r, claims.PropProperties))
	default:
		p.obstacle(r, n, why(r))
	}
}

// why says what in a rule an attribute mapping cannot express.
func why(r *claims.Rule) string {
	text := claims.FormatRule(r)
	switch {
	case strings.Contains(text, "RegExReplace("):
		return "a regular expression rewrites the value: mappings copy attributes or fixed text"
	case len(r.Conditions) > 1:
		return "the value depends on several claims: mappings look at one attribute"
	case strings.Contains(text, "exists([") || strings.Contains(text, "count(["):
		return "the value depends on whether other claims exist: mappings have no conditions"
	case strings.Contains(text, "Value =") && strings.Contains(text, "=~"):
		return "the value is filtered: mappings have no conditions"
	}
	return "the rule has no counterpart among attribute mappings"
}

// fromDirectory follows a look-up: issued attributes become mappings, added ones feed later rules.
func (p *planner) fromDirectory(r *claims.Rule, n int, s *claims.FromStore) {
	parts := queryParts(s)
	if parts == nil {
		p.obstacle(r, n, "values come from the store "+s.Store.Raw+" or by a filter: copy them to an attribute of the user first")
		return
	}
	if strings.TrimSpace(parts[2]) != "{0}" || !ownAccount(r, s.Params) {
		p.obstacle(r, n, "the look-up is not made for every user's own account: mappings have no conditions")
		return
	}
	attrs := strings.Split(parts[1], ",")
	for i, t := range s.Types {
		if i >= len(attrs) {
			break
		}
		name := strings.TrimSpace(attrs[i])
		value := attributesOfDirectory[strings.ToLower(name)]
		switch {
		case strings.HasPrefix(strings.ToLower(name), "tokengroups"):
			p.learn(t.Raw, fromGroups)
			if !s.Verb.Add && t.Raw == claims.TypeAWSRole {
				p.roles(r, n)
			} else if !s.Verb.Add {
				p.obstacle(r, n, "group names are sent: ${user:groups} holds group ids instead")
			}
		case value == "":
			p.obstacle(r, n, "attribute "+name+" is not mapped to Identity Center by default: add ${dir:"+name+"} to the attribute mappings of the identity source, if it is supported")
		case s.Verb.Add:
			p.learn(t.Raw, value)
		default:
			p.learn(t.Raw, value)
			p.mapping(t.Raw, value, "", n)
		}
	}
}

func (p *planner) mapping(attribute, value, format string, n int) {
	if attribute == claims.TypeNameID {
		attribute = "Subject"
		if format == "" {
			format = "unspecified"
		}
		format = format[strings.LastIndexByte(format, ':')+1:]
	} else {
		format = "unspecified"
	}
	switch attribute {
	case claims.TypeAWSRoleSessionName:
		p.m.Settings = append(p.m.Settings, Setting{n, "the session name is set by Identity Center to the user name"})
		return
	case claims.TypeAWSSessionDuration:
		p.m.Settings = append(p.m.Settings, Setting{n, "the session duration is a property of each permission set"})
		return
	}
	p.m.Mappings = append(p.m.Mappings, Mapping{attribute, value, format, n})
}

// move handles a rule that sends all values of one type under another.
func (p *planner) move(r *claims.Rule, n int, from, to, format string) {
	value := p.from[from]
	add := false
	if c, ok := r.Statement.(*claims.NewClaim); ok {
		add = c.Verb.Add
	}
	switch {
	case value == fromGroups:
		p.obstacle(r, n, "group names are sent: ${user:groups} holds group ids instead")
	case value == fromSeveral:
		p.obstacle(r, n, "claims of type "+from+" come from more than one place: a mapping has one value")
	case value == "" && to == claims.TypeAWSSessionDuration:
		p.mapping(to, "", "", n)
	case value == "":
		p.obstacle(r, n, "it is not known which attribute of the user has the values of "+from)
	case add:
		p.learn(to, value)
	default:
		p.learn(to, value)
		p.mapping(to, value, format, n)
	}
}

func (p *planner) static(r *claims.Rule, n int, c *claims.NewClaim) {
	for _, a := range c.Assigns {
		if _, ok := a.Right.(*claims.Literal); !ok {
			p.obstacle(r, n, why(r))
			return
		}
	}
	to, value := literalOf(r, claims.PropType), strings.ReplaceAll(literalOf(r, claims.PropValue), `\x22`, `"`)
	if strings.Contains(value, "${") || value == fromGroups || value == fromSeveral {
		p.obstacle(r, n, "the text would be read as an expression of Identity Center")
		return
	}
	p.learn(to, value)
	if c.Verb.Add {
		return
	}
	p.mapping(to, value, literalOf(r, claims.PropProperties), n)
}

// roles: role names made of group names become permission sets and assignments of those groups.
func (p *planner) roles(r *claims.Rule, n int) {
	group, ok := selected(r)
	if !ok {
		p.obstacle(r, n, "who gets the roles depends on more than one pattern of group names: assign the permission sets by hand")
		return
	}
	p.m.Assignments = append(p.m.Assignments, Assignment{Group: group, To: "permission sets", Rule: n})
}

func (p *planner) authorize(r *claims.Rule, n int) {
	t, ok := claims.Recognise(r)
	switch {
	case ok && t.Template == claims.TemplatePermitAll:
		p.m.Assignments = append(p.m.Assignments, Assignment{"everyone", "application", n})
	case ok && t.Template == claims.TemplatePermitValue && t.Incoming == claims.TypeGroupSID:
		p.m.Assignments = append(p.m.Assignments, Assignment{t.Value, "application", n})
	case literalOf(r, claims.PropType) == claims.TypeDeny:
		p.obstacle(r, n, "a denial: Identity Center only has assignments, leave these users out of the assigned groups")
	default:
		p.obstacle(r, n, "access is decided by a rule: Identity Center only has assignments to users and groups")
	}
}

func (p *planner) additional(_ *claims.Rule, n int) {
	p.m.Settings = append(p.m.Settings, Setting{n, "a second factor is a setting of the Identity Center instance, not of one application"})
}

func (p *planner) policy(t *Trust) {
	p.set = "authorization"
	switch strings.ToLower(t.AccessControlPolicyName) {
	case "":
	case "permit everyone":
		p.m.Assignments = append(p.m.Assignments, Assignment{Group: "everyone", To: "application"})
	case "permit everyone and require mfa":
		p.m.Assignments = append(p.m.Assignments, Assignment{Group: "everyone", To: "application"})
		p.additional(nil, 0)
	case "permit specific group":
		if len(t.AccessControlPolicyParameters) == 0 {
			p.obstacle(nil, 0, "the access control policy names no group")
		}
		for _, g := range t.AccessControlPolicyParameters {
			p.m.Assignments = append(p.m.Assignments, Assignment{Group: g, To: "application"})
		}
	default:
		p.obstacle(nil, 0, "access control policy "+t.AccessControlPolicyName+" has no counterpart")
	}
}

// singleValues: an attribute that several rules fill has several values, or depends on which rule fires.
func (p *planner) singleValues() {
	p.set = "transform"
	seen := map[string]int{}
	for _, m := range p.m.Mappings {
		if first, twice := seen[m.Attribute]; twice {
			p.obstacle(nil, m.Rule, "attribute "+m.Attribute+" is also filled by rule "+itoa(first)+": a mapping has one value")
		}
		seen[m.Attribute] = m.Rule
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
