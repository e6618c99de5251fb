package httpserve_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/examples/httpserve"
)

func TestServe(t *testing.T) {
	t.Parallel()
	cert, key, roots := certificate(t)
	config, err := httpserve.Certificate(cert, key)
	require.NoError(t, err)
	for scheme, c := range map[string]*tls.Config{"http": nil, "https": config} {
		ctx, stop := context.WithCancel(t.Context())
		ln, err := httpserve.Listen(ctx, "127.0.0.1:0")
		require.NoError(t, err)
		url := scheme + "://" + ln.Addr().String()
		var stderr bytes.Buffer
		done := make(chan error, 1)
		entered := make(chan struct{})
		slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			stop() // the program shall end while this request runs
			_, _ = io.WriteString(w, "finished")
		})
		go func() { done <- httpserve.Serve(ctx, ln, c, slow, url, &stderr) }()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
		res, err := client.Get(url)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, "finished", string(body))
		client.CloseIdleConnections()
		<-entered
		require.NoError(t, <-done)
		require.Equal(t, "listening on "+url+"\n", stderr.String())
	}
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	ln, err := httpserve.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	_, err = httpserve.Listen(t.Context(), ln.Addr().String())
	require.Error(t, err)
	require.NoError(t, ln.Close())
	require.ErrorIs(t, httpserve.Serve(t.Context(), ln, nil, http.NotFoundHandler(), "http://x", io.Discard), net.ErrClosed)
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificate(t)
	none, err := httpserve.Certificate("", "")
	require.NoError(t, err)
	require.Nil(t, none)
	for _, files := range [][2]string{{cert, ""}, {"", key}, {key, cert}, {cert, filepath.Join(t.TempDir(), "none")}} {
		_, err := httpserve.Certificate(files[0], files[1])
		require.Error(t, err)
	}
}

// certificate writes a certificate for this test, and its key.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(cert, text, 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	roots = x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(text))
	return cert, key, roots
}
