package saml

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adfedkit/adfedkit/internal/xmldsig"
)

// Marshal returns the entity as an unsigned EntityDescriptor that is valid against the schema of saml-metadata-2.0.
func (m *Metadata) Marshal() ([]byte, error) { return m.marshal(nil) }

// Sign returns the entity as an EntityDescriptor with an enveloped signature by key (section 3).
func (m *Metadata) Sign(key KeyPair) ([]byte, error) {
	s, err := key.signer()
	if err != nil {
		return nil, err
	}
	return m.marshal(s)
}

func (m *Metadata) marshal(s *xmldsig.Signer) ([]byte, error) {
	switch {
	case m.EntityID == "" || len(m.EntityID) > 1024:
		return nil, errors.New("saml: Metadata.EntityID must have 1 to 1024 characters")
	case m.IDP == nil && m.SP == nil:
		return nil, errors.New("saml: Metadata has no role")
	}
	id := ""
	if s != nil {
		id = newID()
	}
	w := &markup{}
	w.open("md:EntityDescriptor", attr{"ID", id}, attr{"entityID", m.EntityID}, attr{"validUntil", instant(m.ValidUntil)},
		attr{"cacheDuration", durationText(m.CacheDuration)})
	if m.SP != nil {
		if err := m.SP.write(w); err != nil {
			return nil, err
		}
	}
	if m.IDP != nil {
		if err := m.IDP.write(w); err != nil {
			return nil, err
		}
	}
	m.Organization.write(w)
	for _, c := range m.Contacts {
		c.write(w)
	}
	w.close()
	if s == nil {
		return w.bytes()
	}
	prefixList := ""
	if m.IDP != nil && slices.ContainsFunc(m.IDP.Attributes, func(a Attribute) bool { return len(a.Values) > 0 }) {
		prefixList = "xs" // it stands in xsi:type values, where exclusive c14n does not look
	}
	text, err := w.bytes()
	if err != nil {
		return nil, err
	}
	return s.SignDocument(text, 0, prefixList)
}

func durationText(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return fmt.Sprintf("PT%dS", int64(d/time.Second))
}

func (d *IDPDescriptor) write(w *markup) error {
	if len(d.SingleSignOn) == 0 {
		return errors.New("saml: an identity provider role needs a SingleSignOn endpoint")
	}
	w.open("md:IDPSSODescriptor", attr{"WantAuthnRequestsSigned", boolAttr(d.WantAuthnRequestsSigned)},
		attr{"protocolSupportEnumeration", nsProtocol}, attr{"validUntil", instant(d.ValidUntil)})
	if err := d.writeCommon(w); err != nil {
		return err
	}
	for _, e := range d.SingleSignOn {
		if err := e.write(w, "md:SingleSignOnService"); err != nil {
			return err
		}
	}
	for _, a := range d.Attributes {
		writeAttribute(w, a)
	}
	w.close()
	return nil
}

func (d *SPDescriptor) write(w *markup) error {
	if len(d.AssertionConsumers) == 0 {
		return errors.New("saml: a service provider role needs an AssertionConsumers endpoint")
	}
	w.open("md:SPSSODescriptor", attr{"AuthnRequestsSigned", boolAttr(d.AuthnRequestsSigned)},
		attr{"WantAssertionsSigned", boolAttr(d.WantAssertionsSigned)},
		attr{"protocolSupportEnumeration", nsProtocol}, attr{"validUntil", instant(d.ValidUntil)})
	if err := d.writeCommon(w); err != nil {
		return err
	}
	for _, e := range d.AssertionConsumers {
		if err := e.write(w, "md:AssertionConsumerService"); err != nil {
			return err
		}
	}
	w.close()
	return nil
}

// writeCommon keeps the order of SSODescriptorType (section 2.4.2).
func (d *SSODescriptor) writeCommon(w *markup) error {
	for _, k := range d.Keys {
		if err := k.write(w); err != nil {
			return err
		}
	}
	for _, e := range d.ArtifactResolution {
		if err := e.write(w, "md:ArtifactResolutionService"); err != nil {
			return err
		}
	}
	for _, e := range d.SingleLogout {
		if err := e.write(w, "md:SingleLogoutService"); err != nil {
			return err
		}
	}
	for _, f := range d.NameIDFormats {
		w.leaf("md:NameIDFormat", f)
	}
	return nil
}

func (k KeyDescriptor) write(w *markup) error {
	if k.Certificate == nil {
		return errors.New("saml: a KeyDescriptor needs a Certificate")
	}
	w.open("md:KeyDescriptor", attr{"use", string(k.Use)}).open("ds:KeyInfo").open("ds:X509Data")
	w.leaf("ds:X509Certificate", base64Text(k.Certificate.Raw)).close().close()
	for _, m := range k.EncryptionMethods {
		w.open("md:EncryptionMethod", attr{"Algorithm", m}).close()
	}
	w.close()
	return nil
}

func (e Endpoint) write(w *markup, name string, more ...attr) error {
	for _, u := range []string{e.Location, e.ResponseLocation} {
		if err := checkLocation(u, true); err != nil && u != "" {
			return err
		}
	}
	if e.Binding == "" || e.Location == "" {
		return errors.New("saml: an endpoint needs Binding and Location")
	}
	attrs := append([]attr{{"Binding", e.Binding}, {"Location", e.Location}, {"ResponseLocation", e.ResponseLocation}}, more...)
	w.open(name, attrs...).close()
	return nil
}

func (e IndexedEndpoint) write(w *markup, name string) error {
	if e.Index < 0 || e.Index > 65535 {
		return fmt.Errorf("saml: endpoint index %d is no unsigned short", e.Index)
	}
	isDefault := ""
	if e.Default != nil {
		isDefault = fmt.Sprint(*e.Default)
	}
	return e.Endpoint.write(w, name, attr{"index", intAttr(e.Index)}, attr{"isDefault", isDefault})
}

func (o *Organization) write(w *markup) {
	if o == nil {
		return
	}
	lang := o.Lang
	if lang == "" {
		lang = "en"
	}
	display := o.DisplayName
	if display == "" {
		display = o.Name
	}
	w.open("md:Organization").leaf("md:OrganizationName", o.Name, attr{"xml:lang", lang}).
		leaf("md:OrganizationDisplayName", display, attr{"xml:lang", lang}).
		leaf("md:OrganizationURL", o.URL, attr{"xml:lang", lang}).close()
}

func (c Contact) write(w *markup) {
	kind := c.Type
	if kind == "" {
		kind = "technical"
	}
	w.open("md:ContactPerson", attr{"contactType", kind})
	for _, f := range []struct{ name, value string }{{"md:Company", c.Company}, {"md:GivenName", c.GivenName}, {"md:SurName", c.SurName}} {
		if f.value != "" {
			w.leaf(f.name, f.value)
		}
	}
	for _, e := range c.Emails {
		w.leaf("md:EmailAddress", e)
	}
	for _, t := range c.Telephones {
		w.leaf("md:TelephoneNumber", t)
	}
	w.close()
}
