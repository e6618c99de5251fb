package saml

import (
	"bytes"
	"crypto"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/adfedkit/adfedkit/internal/clock"
	"github.com/adfedkit/adfedkit/internal/xmlgate"
)

const (
	maxGroupDepth     = 8   // EntitiesDescriptor nested in each other; federations use one or two
	maxKeysPerRole    = 64  // rollovers need two or three
	maxEndpoints      = 512 // of one kind in one role; the big research federations have SPs with about 100
	minCacheDuration  = 5 * time.Minute
	maxCacheDuration  = 24 * time.Hour
	maxCertificateB64 = 64 << 10
)

// MetadataOptions says which entity is wanted and what is demanded of a metadata document. The zero value takes the only
// entity of a document whose signature nobody can check, which is right for a file that an administrator handed over.
type MetadataOptions struct {
	EntityID string // the entity that is wanted; "" = the only one in the document

	// TrustedKeys verify the signature of the document or of the entity. When it is not empty an entity that no
	// verified signature covers is refused (saml-metadata-2.0 section 3).
	TrustedKeys []crypto.PublicKey
	Algorithms  AlgorithmPolicy // for the metadata's own signature

	RequireValidUntil bool          // refuse metadata without validUntil
	MaxValidity       time.Duration // refuse a validUntil that is further away; 0 = no limit
	InsecureAllowHTTP bool          // accept endpoints with http, for tests and for hosts behind a TLS tunnel
	MaxBytes          int           // size of the document; 0 = 16 MiB
	Now               func() time.Time
}

// ParseMetadata reads an EntityDescriptor, or finds the wanted one in an EntitiesDescriptor of any nesting, and checks
// expiry (validUntil of the entity, its roles and all groups around it). Roles that do not speak SAML 2.0, AD FS's
// fed:* role descriptors, extensions and unknown attributes are passed over. An entity ID that occurs twice is refused.
func ParseMetadata(raw []byte, opts MetadataOptions) (*Metadata, error) {
	all, err := parseMetadata(raw, opts)
	if err != nil {
		return nil, err
	}
	var found *readEntity
	for i := range all {
		m := &all[i]
		if opts.EntityID != "" && m.EntityID != opts.EntityID {
			continue
		}
		if found != nil {
			return nil, reject(ReasonMetadata, "the document holds several entities and none was chosen", nil)
		}
		found = m
	}
	if found == nil {
		return nil, reject(ReasonMetadata, "the wanted entity is not in the document", ErrNotFound)
	}
	if found.expired != nil {
		return nil, found.expired
	}
	return found.Metadata, nil
}

// ParseMetadataSet reads all entities of a document in document order. Those that are expired or have no SAML 2.0 role are left out.
func ParseMetadataSet(raw []byte, opts MetadataOptions) ([]*Metadata, error) {
	all, err := parseMetadata(raw, opts)
	if err != nil {
		return nil, err
	}
	var out []*Metadata
	for _, m := range all {
		if m.expired == nil && (m.IDP != nil || m.SP != nil) && (opts.EntityID == "" || opts.EntityID == m.EntityID) {
			out = append(out, m.Metadata)
		}
	}
	return out, nil
}

// readEntity is an entity and why it may not be used, if so.
type readEntity struct {
	*Metadata
	expired error
}

func parseMetadata(raw []byte, opts MetadataOptions) ([]readEntity, error) {
	return parseMetadataIn(raw, opts, false)
}

// parseMetadataIn is parseMetadata for a piece of a document; covered says that a verified signature over the document covers it.
func parseMetadataIn(raw []byte, opts MetadataOptions, covered bool) ([]readEntity, error) {
	r := &metadataReader{opts: opts, now: clock.Or(opts.Now)(), seen: map[string]bool{}}
	doc, err := parseXML(raw, xmlgate.MetadataLimits(opts.MaxBytes))
	if err != nil {
		return nil, err
	}
	r.characters, r.bom = utf8.RuneCount(raw), bytes.HasPrefix(raw, []byte("\xef\xbb\xbf"))
	root := doc.Root()
	if !root.Is(nsMetadata, "EntityDescriptor") && !root.Is(nsMetadata, "EntitiesDescriptor") {
		return nil, reject(ReasonMetadata, "root element is neither EntityDescriptor nor EntitiesDescriptor", nil)
	}
	if err := r.element(root, scope{verified: covered}, 0); err != nil {
		return nil, err
	}
	return r.out, nil
}

// scope is what an entity inherits from the groups around it.
type scope struct {
	validUntil time.Time
	cache      time.Duration
	verified   bool
	warnings   []string
}

type metadataReader struct {
	opts MetadataOptions
	now  time.Time
	seen map[string]bool
	out  []readEntity

	characters int
	bom        bool
	warnings   []string // of the entity at hand
}

// element reads an entity or a group. With pinned keys a signature that stands here must verify, and everything below is
// read from the verified bytes only.
func (r *metadataReader) element(el xmlgate.Elem, s scope, depth int) error {
	if depth > maxGroupDepth {
		return reject(ReasonMetadata, "groups are nested too deep", nil)
	}
	if len(r.opts.TrustedKeys) > 0 && hasSignature(el) {
		v, err := verifySigned(el, r.opts.TrustedKeys, r.opts.Algorithms)
		if err != nil {
			return err
		}
		el, s.verified = v.root, true
	}
	if err := s.narrow(el); err != nil {
		return err
	}
	if el.Is(nsMetadata, "EntityDescriptor") {
		return r.entity(el, s)
	}
	for c := range el.Children() {
		if c.Is(nsMetadata, "EntityDescriptor") || c.Is(nsMetadata, "EntitiesDescriptor") {
			if err := r.element(c, s, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// narrow applies validUntil and cacheDuration of one element: the earliest and the least win (section 4.3.1).
func (s *scope) narrow(el xmlgate.Elem) error {
	until, err := validUntil(el)
	if err != nil {
		return err
	}
	s.validUntil = earliest(s.validUntil, until)
	if v, ok := el.Attr("cacheDuration"); ok {
		d, err := parseDuration(v)
		if err != nil { // only advice about refreshing
			s.warnings = append(s.warnings[:len(s.warnings):len(s.warnings)], "cache_duration")
			return nil
		}
		if d = min(max(d, minCacheDuration), maxCacheDuration); s.cache == 0 || d < s.cache {
			s.cache = d
		}
	}
	return nil
}

func validUntil(el xmlgate.Elem) (time.Time, error) {
	v, ok := el.Attr("validUntil")
	if !ok {
		return time.Time{}, nil
	}
	t, err := parseTime(v)
	if err != nil {
		return time.Time{}, reject(ReasonMetadata, "validUntil", err)
	}
	return t, nil
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func (r *metadataReader) entity(el xmlgate.Elem, s scope) error {
	id, ok := el.Attr("entityID")
	if !ok || id == "" || len(id) > 1024 {
		return reject(ReasonMetadata, "entityID must have 1 to 1024 characters", nil)
	}
	if r.seen[id] {
		return reject(ReasonMetadata, "an entityID occurs twice", nil)
	}
	r.seen[id] = true
	if r.opts.EntityID != "" && id != r.opts.EntityID {
		return nil // another entity's faults are not ours
	}
	r.warnings = slices.Clone(s.warnings)
	m := &Metadata{EntityID: id, ValidUntil: s.validUntil, CacheDuration: s.cache, Verified: s.verified, characters: r.characters, byteOrderMark: r.bom}
	for c := range el.Children() {
		if err := r.child(m, c); err != nil {
			return err
		}
	}
	m.Warnings = r.warnings
	r.out = append(r.out, readEntity{m, r.usable(m)})
	return nil
}

// child reads one child of EntityDescriptor; the first SAML 2.0 role of each kind counts.
func (r *metadataReader) child(m *Metadata, c xmlgate.Elem) error {
	var err error
	switch {
	case c.Is(nsMetadata, "IDPSSODescriptor") && m.IDP == nil && speaksSAML2(c):
		m.IDP, err = r.idpRole(c)
		if err == nil {
			m.ValidUntil = earliest(m.ValidUntil, m.IDP.ValidUntil)
		}
	case c.Is(nsMetadata, "SPSSODescriptor") && m.SP == nil && speaksSAML2(c):
		m.SP, err = r.spRole(c)
		if err == nil {
			m.ValidUntil = earliest(m.ValidUntil, m.SP.ValidUntil)
		}
	case c.Is(nsMetadata, "Organization"):
		m.Organization = readOrganization(c)
	case c.Is(nsMetadata, "ContactPerson"):
		m.Contacts = append(m.Contacts, readContact(c))
	}
	return err
}

func (r *metadataReader) usable(m *Metadata) error {
	switch {
	case len(r.opts.TrustedKeys) > 0 && !m.Verified:
		return reject(ReasonUnsigned, "metadata is not covered by a signature", nil)
	case m.ValidUntil.IsZero() && r.opts.RequireValidUntil:
		return reject(ReasonMetadata, "validUntil is missing", nil)
	case m.ValidUntil.IsZero():
		return nil
	case !r.now.Before(m.ValidUntil):
		return reject(ReasonMetadataExpired, "validUntil "+m.ValidUntil.Format(time.RFC3339), nil)
	case r.opts.MaxValidity > 0 && m.ValidUntil.After(r.now.Add(r.opts.MaxValidity)):
		return reject(ReasonMetadata, "validUntil is further away than MaxValidity", nil)
	}
	return nil
}

func speaksSAML2(role xmlgate.Elem) bool {
	v, _ := role.Attr("protocolSupportEnumeration")
	for p := range strings.FieldsSeq(v) {
		if p == nsProtocol {
			return true
		}
	}
	return false
}

func (r *metadataReader) idpRole(el xmlgate.Elem) (*IDPDescriptor, error) {
	d := &IDPDescriptor{WantAuthnRequestsSigned: boolOf(el, "WantAuthnRequestsSigned")}
	err := r.common(el, &d.SSODescriptor, func(c xmlgate.Elem) error {
		switch {
		case c.Is(nsMetadata, "SingleSignOnService"):
			return r.endpoint(c, &d.SingleSignOn)
		case c.Is(nsAssertion, "Attribute"):
			a := Attribute{}
			a.Name, _ = c.Attr("Name")
			a.NameFormat, _ = c.Attr("NameFormat")
			a.FriendlyName, _ = c.Attr("FriendlyName")
			d.Attributes = append(d.Attributes, a)
		}
		return nil
	})
	return d, err
}

func (r *metadataReader) spRole(el xmlgate.Elem) (*SPDescriptor, error) {
	d := &SPDescriptor{AuthnRequestsSigned: boolOf(el, "AuthnRequestsSigned"), WantAssertionsSigned: boolOf(el, "WantAssertionsSigned")}
	err := r.common(el, &d.SSODescriptor, func(c xmlgate.Elem) error {
		if c.Is(nsMetadata, "AssertionConsumerService") {
			return r.indexed(c, &d.AssertionConsumers)
		}
		return nil
	})
	return d, err
}

// common reads what both roles have and hands the rest to other.
func (r *metadataReader) common(el xmlgate.Elem, d *SSODescriptor, other func(xmlgate.Elem) error) error {
	var err error
	if d.ValidUntil, err = validUntil(el); err != nil {
		return err
	}
	for c := range el.Children() {
		switch {
		case c.Is(nsMetadata, "KeyDescriptor"):
			err = r.readKey(c, d)
		case c.Is(nsMetadata, "ArtifactResolutionService"):
			err = r.indexed(c, &d.ArtifactResolution)
		case c.Is(nsMetadata, "SingleLogoutService"):
			err = r.endpoint(c, &d.SingleLogout)
		case c.Is(nsMetadata, "NameIDFormat"):
			var f string
			if f, err = textOf(c); err == nil {
				d.NameIDFormats = append(d.NameIDFormats, strings.TrimSpace(f))
			}
		default:
			err = other(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readOrganization(el xmlgate.Elem) *Organization {
	o := &Organization{}
	for c := range el.Children() {
		text, err := textOf(c)
		if err != nil {
			continue
		}
		switch {
		case c.Is(nsMetadata, "OrganizationName") && o.Name == "":
			o.Name = text
			o.Lang, _ = c.AttrNS(nsXML, "lang")
		case c.Is(nsMetadata, "OrganizationDisplayName") && o.DisplayName == "":
			o.DisplayName = text
		case c.Is(nsMetadata, "OrganizationURL") && o.URL == "":
			o.URL = text
		}
	}
	return o
}

func readContact(el xmlgate.Elem) Contact {
	var k Contact
	k.Type, _ = el.Attr("contactType")
	for c := range el.Children() {
		text, err := textOf(c)
		if err != nil {
			continue
		}
		switch {
		case c.Is(nsMetadata, "Company"):
			k.Company = text
		case c.Is(nsMetadata, "GivenName"):
			k.GivenName = text
		case c.Is(nsMetadata, "SurName"):
			k.SurName = text
		case c.Is(nsMetadata, "EmailAddress"):
			k.Emails = append(k.Emails, text)
		case c.Is(nsMetadata, "TelephoneNumber"):
			k.Telephones = append(k.Telephones, text)
		}
	}
	return k
}

// boolOf reads an xs:boolean attribute; absent or anything else is false.
func boolOf(el xmlgate.Elem, name string) bool {
	v, _ := el.Attr(name)
	v = strings.TrimSpace(v)
	return v == "true" || v == "1"
}
