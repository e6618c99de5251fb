package saml

import "strings"

// writeNameID writes a NameID (core 2.2.3) under the given element name.
func writeNameID(w *markup, name string, n NameID) {
	w.leaf(name, n.Value, attr{"Format", n.Format}, attr{"NameQualifier", n.NameQualifier},
		attr{"SPNameQualifier", n.SPNameQualifier}, attr{"SPProvidedID", n.SPProvidedID})
}

// writeAttribute writes an Attribute (core 2.7.3.1) with its values as xs:string or another type of XML Schema; a nil value
// carries xsi:nil.
func writeAttribute(w *markup, a Attribute) {
	w.open("saml:Attribute", attr{"FriendlyName", a.FriendlyName}, attr{"Name", a.Name}, attr{"NameFormat", a.NameFormat},
		attr{"id:OriginalIssuer", a.OriginalIssuer})
	for _, v := range a.Values {
		if v.Nil {
			w.open("saml:AttributeValue", attr{"xsi:nil", "true"}).close()
			continue
		}
		w.openDeclaring("saml:AttributeValue", []string{"xs"}, attr{"xsi:type", schemaType(v.Type)}).text(v.Value).close()
	}
	w.close()
}

// schemaType returns the name of a type of XML Schema; any other type is sent as text.
func schemaType(t string) string {
	name, ok := strings.CutPrefix(t, nsXS+"#")
	if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		return "xs:string"
	}
	return "xs:" + name
}
