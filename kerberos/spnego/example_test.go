package spnego_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
	"github.com/adfedkit/adfedkit/kerberos/spnego"
)

func ExampleNewMiddleware() {
	kdc, err := kerberostest.Start(kerberostest.Config{Realm: "CORP.EXAMPLE.TEST", Services: []kerberostest.Service{{SPN: "HTTP/web.corp.example.test"}}})
	if err != nil {
		panic(err)
	}
	defer kdc.Close()
	acceptor, err := kerberos.NewAcceptor(kerberos.AcceptorConfig{
		Keytab: kdc.Keytab("HTTP/web.corp.example.test"), SPNs: []string{"HTTP/*"}, AllowedRealms: []string{"CORP.EXAMPLE.TEST"},
		Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{}),
	})
	if err != nil {
		panic(err)
	}
	signIn, err := spnego.NewMiddleware(spnego.Config{Acceptor: acceptor})
	if err != nil {
		panic(err)
	}
	page := signIn(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := spnego.IdentityFrom(r.Context())
		_, _ = fmt.Fprintln(w, "hello", id.Principal)
	}))
	rec := httptest.NewRecorder()
	page.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(rec.Code, rec.Header().Get("WWW-Authenticate"))
	// Output: 401 Negotiate
}
