package directorytest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/fold"
	"github.com/adfedkit/adfedkit/internal/sid"
)

// Config configures a [Server]. Domains is required.
type Config struct {
	Domains []Domain

	MaxPageSize    int              // entries of one page or of an unpaged search; 0 means 1000, as Active Directory
	MaxValRange    int              // values of one attribute in one answer; 0 means 1500, as Active Directory
	RequireSigning bool             // simple and SASL binds need TLS or a SASL layer: result code 8 otherwise
	SASL           SASLAcceptor     // answers SASL binds; nil means that no mechanism is offered
	Now            func() time.Time // nil means the system clock
}

// A Domain is one domain of the server, with one domain controller on addresses of its own. DNS is required.
type Domain struct {
	DNS string // DNS name, e.g. corp.example.test

	NetBIOS          string   // "" means the first label in upper case
	Forest           string   // DNS name of the forest's root domain; "" means a forest of its own
	SID              string   // domain SID; "" means one derived from the name
	UPNSuffixes      []string // further suffixes of the forest
	GlobalCatalog    bool     // one more address, [DC.GlobalCatalogURL], that answers for all domains of the forest
	Site             string   // answers LDAP pings (UDP, at the ldap:// address): we and the client are in this site; "" means no answer
	LockoutThreshold int      // wrong passwords until an account is locked; 0 means never
	LockoutDuration  time.Duration
	MaxPasswordAge   time.Duration // 0 means never
}

// A SASLAcceptor answers SASL binds, so that a test can offer GSSAPI without this package knowing Kerberos.
type SASLAcceptor interface {
	// Mechanisms are announced in the rootDSE.
	Mechanisms() []string
	// Start begins one exchange on a connection. tls says whether the connection is under TLS.
	Start(mechanism string, tls bool) (SASLExchange, error)
}

// A SASLExchange is one SASL bind.
type SASLExchange interface {
	// Step answers the client's credentials. done ends the exchange: name is then who has bound (a sAMAccountName, a user
	// principal name or a DN). An error refuses with result code 49.
	Step(creds []byte) (reply []byte, name string, done bool, err error)
	// Wrap returns the connection for everything after the exchange; nil means that no layer was agreed upon.
	Wrap(nc net.Conn) net.Conn
}

// A Server holds the domains of one or several forests, each with a domain controller that listens on loopback.
// It is made by [Start].
type Server struct {
	cfg Config
	ca  *authority

	mu      sync.RWMutex // guards all domains: links cross them
	domains []*DC

	wg     sync.WaitGroup
	connMu sync.Mutex
	conns  map[*session]struct{}
	closed bool
}

// Start runs a directory server on loopback until Close. It is meant for tests and demonstrations: passwords are kept as
// they are, and every account may read everything.
func Start(cfg Config) (*Server, error) {
	if len(cfg.Domains) == 0 {
		return nil, errors.New("directorytest: Config.Domains is empty")
	}
	if cfg.MaxPageSize < 0 || cfg.MaxValRange < 0 {
		return nil, errors.New("directorytest: negative limit in Config")
	}
	if cfg.MaxPageSize == 0 {
		cfg.MaxPageSize = 1000
	}
	if cfg.MaxValRange == 0 {
		cfg.MaxValRange = 1500
	}
	cfg.Now = clock.Or(cfg.Now)
	s := &Server{cfg: cfg, conns: map[*session]struct{}{}}
	for _, d := range cfg.Domains {
		dc, err := newDC(s, d)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.domains = append(s.domains, dc)
	}
	var err error
	if s.ca, err = newAuthority(s.domains); err != nil {
		s.Close()
		return nil, err
	}
	for _, dc := range s.domains {
		if err := dc.listen(); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close stops all domain controllers and ends their connections.
func (s *Server) Close() {
	for _, dc := range s.domains {
		dc.Stop()
	}
	s.connMu.Lock()
	s.closed = true
	for c := range s.conns {
		_ = c.raw.Close()
	}
	s.connMu.Unlock()
	s.wg.Wait()
}

// Domain returns the domain controller of a domain by its DNS or NetBIOS name, nil if there is none.
func (s *Server) Domain(name string) *DC {
	for _, dc := range s.domains {
		if fold.Equal(dc.cfg.DNS, name) || fold.Equal(dc.cfg.NetBIOS, name) {
			return dc
		}
	}
	return nil
}

// A DC is the domain controller of one domain, and the domain itself.
type DC struct {
	srv *Server
	cfg Domain

	baseDN     string
	sid        string
	nextRID    uint32
	nextGUID   uint64
	usn        int64
	invocation [16]byte

	objects map[[16]byte]*Object // all, tombstones too
	root    *Object
	index   map[string]map[string][]*Object // attribute (lower case) -> folded value -> objects
	order   []*Object                       // in the order of creation

	net listeners
	flt faults
}

func newDC(s *Server, cfg Domain) (*DC, error) {
	if cfg.DNS == "" || strings.ContainsAny(cfg.DNS, " ,=\\@") {
		return nil, errors.New("directorytest: Domain.DNS is empty or no DNS name")
	}
	if cfg.NetBIOS == "" {
		first, _, _ := strings.Cut(cfg.DNS, ".")
		cfg.NetBIOS = strings.ToUpper(first)
	}
	if cfg.Forest == "" {
		cfg.Forest = cfg.DNS
	}
	h := sha256.Sum256([]byte(strings.ToLower(cfg.DNS)))
	if cfg.SID == "" {
		cfg.SID = fmt.Sprintf("S-1-5-21-%d-%d-%d", binary.LittleEndian.Uint32(h[0:]), binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:]))
	}
	if _, err := sid.Bytes(cfg.SID); err != nil {
		return nil, fmt.Errorf("directorytest: Domain.SID: %w", err)
	}
	dc := &DC{
		srv: s, cfg: cfg, sid: cfg.SID, nextRID: 1103, usn: 4000, objects: map[[16]byte]*Object{},
		index: map[string]map[string][]*Object{}, baseDN: "DC=" + strings.ReplaceAll(cfg.DNS, ".", ",DC="),
	}
	dc.invocation = dc.newGUID()
	dc.provision()
	return dc, nil
}

// newGUID returns the next GUID: the same for the same sequence of calls.
func (dc *DC) newGUID() [16]byte {
	dc.nextGUID++
	h := sha256.Sum256(fmt.Appendf(nil, "%s/%d", strings.ToLower(dc.cfg.DNS), dc.nextGUID))
	h[7] = h[7]&0x0f | 0x40 // version 4 in the mixed-endian form
	h[8] = h[8]&0x3f | 0x80
	return [16]byte(h[:16])
}

// DNS returns the domain's DNS name.
func (dc *DC) DNS() string { return dc.cfg.DNS }

// NetBIOS returns the domain's short name.
func (dc *DC) NetBIOS() string { return dc.cfg.NetBIOS }

// BaseDN returns the DN of the domain's root.
func (dc *DC) BaseDN() string { return dc.baseDN }

// SID returns the domain SID.
func (dc *DC) SID() string { return dc.sid }

// USN returns highestCommittedUSN.
func (dc *DC) USN() int64 {
	dc.srv.mu.RLock()
	defer dc.srv.mu.RUnlock()
	return dc.usn
}

// NewInvocation gives the database a new invocationId, as a restore from a backup does.
func (dc *DC) NewInvocation() {
	dc.srv.mu.Lock()
	defer dc.srv.mu.Unlock()
	dc.invocation = dc.newGUID()
	ntds := dc.byDN("cn=ntds settings,cn=dc1,cn=servers,cn=default-first-site-name,cn=sites,cn=configuration," + strings.ToLower(dc.baseDN))
	dc.set(ntds, "invocationId", string(dc.invocation[:]))
}
