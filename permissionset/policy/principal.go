package policy

import (
	"slices"
	"strings"
)

// grant says how far an Allow of a resource policy reaches; a larger one needs less from the other layers.
type grant uint8

const (
	grantNone    grant = iota
	grantAccount       // the account may delegate it: identity policies decide
	grantRole          // no identity policy needed; boundary and session policies still limit
	grantDirect        // final inside one account
)

type identityKind uint8

const (
	identityAWS identityKind = iota
	identityFederated
	identityService
	identityCanonical
)

// identity is the parsed principal of a request.
type identity struct {
	kind      identityKind
	text      string
	partition string
	account   string
	role      string // name of the role of an assumed-role session, or of a role itself
	isRole    bool   // the role itself, not a session
}

func parseIdentity(s string) identity {
	id := identity{text: s}
	var arn [6]string
	if !strings.HasPrefix(s, "arn:") || splitARN(s, &arn) != 6 {
		switch {
		case isAccountID(s):
			id.account = s
		case len(s) == 64 && !strings.Contains(s, "."):
			id.kind = identityCanonical
		case strings.Contains(s, "."):
			id.kind = identityService
		}
		return id
	}
	id.partition, id.account = arn[1], arn[4]
	what, rest, _ := strings.Cut(arn[5], "/")
	switch {
	case arn[2] == "iam" && (what == "saml-provider" || what == "oidc-provider"):
		id.kind = identityFederated
	case arn[2] == "sts" && what == "assumed-role":
		id.role, _, _ = strings.Cut(rest, "/")
	case arn[2] == "iam" && what == "role":
		id.role, id.isRole = rest[strings.LastIndexByte(rest, '/')+1:], true
	}
	return id
}

// hasAccount reports whether identity policies can exist for the principal at all: not for services, web identities and
// canonical users, for which the resource policy alone decides.
func (id *identity) hasPolicies() bool { return id.kind == identityAWS && id.account != "" }

// principalSet is a compiled Principal or NotPrincipal element.
type principalSet struct {
	any     bool
	names   int64 // how many there are of all kinds
	aws     []awsName
	other   []string // Service and Federated names of the request that is not an ARN of AWS
	service []string
	canon   []string
}

type awsName struct {
	text      string
	partition string // of a root or role ARN
	account   string // whole account
	role      string // role ARN: the account's role of that name
	roleAcct  string
}

func compilePrincipals(p *Principals) *principalSet {
	if p == nil {
		return nil
	}
	out := &principalSet{any: p.Any, other: p.Federated, service: p.Service, canon: p.CanonicalUser}
	for _, s := range p.AWS {
		n := awsName{text: s}
		var arn [6]string
		switch {
		case s == "*":
			out.any = true
			continue
		case isAccountID(s):
			n.account = s
		case splitARN(s, &arn) != 6 || strings.ContainsAny(s, "*?"):
			// a unique ID, or a wildcard inside an ARN: the latter equals no real ARN, so it matches nobody
		case arn[2] == "iam" && arn[5] == "root":
			n.partition, n.account = arn[1], arn[4]
		case arn[2] == "iam" && strings.HasPrefix(arn[5], "role/"):
			n.partition, n.roleAcct = arn[1], arn[4]
			n.role = arn[5][strings.LastIndexByte(arn[5], '/')+1:]
		}
		out.aws = append(out.aws, n)
	}
	out.names = int64(len(p.AWS) + len(p.Federated) + len(p.Service) + len(p.CanonicalUser))
	return out
}

// match returns the widest grant under which the principal of the request is named.
func (p *principalSet) match(id *identity) grant {
	if p.any {
		return grantDirect
	}
	best := grantNone
	switch id.kind {
	case identityAWS:
		for i := range p.aws {
			best = max(best, p.aws[i].match(id))
		}
		return best
	case identityFederated:
		best = nameGrant(p.other, id.text)
		for i := range p.aws { // the account of the provider may be named too
			if p.aws[i].account != "" {
				best = max(best, p.aws[i].match(id))
			}
		}
		return best
	case identityService:
		return max(nameGrant(p.service, id.text), nameGrant(p.other, id.text))
	case identityCanonical:
		return nameGrant(p.canon, id.text)
	}
	return grantNone
}

func nameGrant(names []string, s string) grant {
	if slices.Contains(names, s) {
		return grantDirect
	}
	return grantNone
}

func (n *awsName) match(id *identity) grant {
	switch {
	case n.text == id.text && n.account == "" && n.role == "":
		return grantDirect
	case n.partition != "" && id.partition != "" && n.partition != id.partition:
		return grantNone
	case n.role != "":
		if n.role == id.role && n.roleAcct == id.account && (!id.isRole || n.text == id.text) {
			return grantRole
		}
		return grantNone
	case n.account != "" && n.account == id.account:
		return grantAccount
	default:
		return grantNone
	}
}

// excludes reports whether NotPrincipal lists the principal.
func (p *principalSet) lists(id *identity, opt *Options) bool {
	switch p.match(id) {
	case grantNone:
		return false
	case grantAccount:
		return opt.NotPrincipalRootCovers || strings.HasSuffix(id.text, ":root")
	default:
		return true
	}
}
