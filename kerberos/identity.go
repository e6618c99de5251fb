package kerberos

import (
	"log/slog"
	"time"

	"github.com/adfedkit/adfedkit/kerberos/pac"
)

// Identity says who somebody is. It exists only after every check has passed and holds what the verified ticket and
// its PAC say, never what was typed. SIDs are canonical texts "S-1-5-21-...".
type Identity struct {
	Principal string // canonical client name, sAMAccountName@REALM
	Name      string // the client name without the realm
	Realm     string
	SID       string // "" when the ticket has no PAC
	UPN       string // userPrincipalName by the word of the account's own realm, or sAMAccountName@dns.domain when there is none
	DNSDomain string // the realm's name in lower case
	NetBIOS   string // NetBIOS name of the account's domain, "" when unknown
	FullName  string

	GroupSIDs       []string // nested security groups and the primary group, without duplicates, in the PAC's order
	PrimaryGroupSID string
	ExtraSIDs       []string // groups of other domains, SID history where allowed
	AssertedSIDs    []string // S-1-18-*: how the identity was established
	FilteredSIDs    []string // SIDs that were removed because the issuing realm may not assert them

	AuthTime           time.Time
	EndTime            time.Time
	PasswordLastSet    time.Time // zero when unknown
	PasswordMustChange time.Time // zero when never or unknown

	Service          string // the service principal that the ticket was for
	PreAuthenticated bool
	KDCVerified      bool     // the KDC proved itself with our service's key
	PAC              *pac.PAC // nil when the ticket has none
}

// LogValue returns no personal data: realm, number of groups and times.
func (i *Identity) LogValue() slog.Value {
	return slog.GroupValue(slog.String("realm", i.Realm), slog.Int("groups", len(i.GroupSIDs)),
		slog.Bool("kdcVerified", i.KDCVerified), slog.Time("end", i.EndTime))
}
