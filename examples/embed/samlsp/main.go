// Command samlsp shows a web application that lets people sign in with SAML: give it the metadata of your identity
// provider, and give your identity provider http://127.0.0.1:8000/saml/metadata.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/adfedkit/adfedkit/saml"
	"github.com/adfedkit/adfedkit/saml/samlhttp"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: samlsp IDP-METADATA.xml")
	}
	raw, err := os.ReadFile(os.Args[1]) //nolint:gosec // the file that the user named
	if err != nil {
		log.Fatal(err)
	}
	metadata, err := saml.ParseMetadata(raw, saml.MetadataOptions{})
	if err != nil {
		log.Fatal(err)
	}
	partner, err := samlhttp.NewPartner(metadata)
	if err != nil {
		log.Fatal(err)
	}
	sp, err := samlhttp.NewServiceProvider(samlhttp.ServiceProviderConfig{
		BaseURL:  "http://127.0.0.1:8000",
		Partners: samlhttp.Partners{partner},
		Replay:   saml.NewMemoryReplayStore(0, nil),
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/saml/", sp.Handler())
	mux.Handle("/", sp.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := sp.Session(r)
		if err != nil {
			http.Error(w, "no session", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprintln(w, "signed in as", session.NameID.Value) //nolint:gosec // plain text
	})))
	server := &http.Server{Addr: "127.0.0.1:8000", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
