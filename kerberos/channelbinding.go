package kerberos

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"

	_ "crypto/sha256" // hashes of RFC 5929
	_ "crypto/sha512"
)

// TLSServerEndPoint returns the application data of the channel binding tls-server-end-point (RFC 5929 4) for the
// server's certificate: its hash with the hash of its signature, SHA-256 instead of MD5 and SHA-1.
func TLSServerEndPoint(cert *x509.Certificate) ([]byte, error) {
	if cert == nil {
		return nil, errors.New("kerberos: no certificate for a channel binding")
	}
	h := crypto.SHA256
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = crypto.SHA512
	case x509.PureEd25519:
		return nil, errors.New("kerberos: RFC 5929 defines no hash for this certificate's signature")
	}
	d := h.New()
	d.Write(cert.Raw)
	return append([]byte("tls-server-end-point:"), d.Sum(nil)...), nil
}

// TLSExporter returns the application data of the channel binding tls-exporter (RFC 9266) for a TLS 1.3 connection, or
// a TLS 1.2 one with extended master secret.
func TLSExporter(state tls.ConnectionState) ([]byte, error) {
	b, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		return nil, err
	}
	return append([]byte("tls-exporter:"), b...), nil
}
