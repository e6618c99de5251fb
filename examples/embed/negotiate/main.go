// Command negotiate shows a web page that knows its visitor by the Kerberos ticket of a domain-joined computer: give it
// the keytab of HTTP/your.host and your realm. Others get a plain page with status 401.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/spnego"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: negotiate KEYTAB REALM")
	}
	keytab, err := kerberos.NewFileKeytab(kerberos.FileKeytabConfig{Path: os.Args[1]})
	if err != nil {
		log.Fatal(err)
	}
	acceptor, err := kerberos.NewAcceptor(kerberos.AcceptorConfig{
		Keytab:        keytab,
		SPNs:          []string{"HTTP/*"},
		AllowedRealms: []string{os.Args[2]},
		Replay:        kerberos.NewReplayCache(kerberos.MemoryReplayConfig{}),
	})
	if err != nil {
		log.Fatal(err)
	}
	signIn, err := spnego.NewMiddleware(spnego.Config{Acceptor: acceptor})
	if err != nil {
		log.Fatal(err)
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := spnego.IdentityFrom(r.Context()) // always there behind the middleware
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprintln(w, "you are", id.Principal, "with", len(id.GroupSIDs), "groups")
	})
	server := &http.Server{Addr: "127.0.0.1:8002", Handler: signIn(page), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
