package directorytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// An authority is the certificate authority of one server. Its key lives in memory only.
type authority struct {
	cert *x509.Certificate
	pem  []byte
	leaf tls.Certificate
}

func newAuthority(dcs []*DC) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// certificates live in real time: TLS peers use the system's clock
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "directorytest CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(1500000000, 0), NotAfter: time.Unix(4000000000, 0), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a := &authority{pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "dc1"}, NotBefore: tpl.NotBefore, NotAfter: tpl.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, dc := range dcs {
		leaf.DNSNames = append(leaf.DNSNames, "dc1."+dc.cfg.DNS, dc.cfg.DNS)
	}
	der, err = x509.CreateCertificate(rand.Reader, leaf, a.cert, &leafKey.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a.leaf = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: leafKey}
	return a, nil
}

// CAPEM returns the certificate of the server's own certificate authority.
func (s *Server) CAPEM() []byte { return append([]byte(nil), s.ca.pem...) }

// ClientTLS returns a configuration that trusts the server's certificate authority and nothing else.
func (s *Server) ClientTLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// Certificate returns the certificate that the domain controllers show.
func (s *Server) Certificate() *x509.Certificate {
	c, _ := x509.ParseCertificate(s.ca.leaf.Certificate[0])
	return c
}
