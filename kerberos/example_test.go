package kerberos_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

func ExampleAuthenticator_Password() {
	kdc, err := kerberostest.Start(kerberostest.Config{
		Realm: "CORP.EXAMPLE.TEST", NetBIOS: "CORP", Services: []kerberostest.Service{{SPN: "HTTP/portal.corp.example.test"}},
		Users: []kerberostest.User{{Name: "alice", UPN: "alice@example.com", Password: "Correct-Horse-1"}},
	})
	if err != nil {
		panic(err)
	}
	defer kdc.Close()
	a, err := kerberos.NewAuthenticator(kerberos.AuthenticatorConfig{
		Realms:  []kerberos.Realm{kdc.Realm()},
		Service: kerberos.Service{SPN: "HTTP/portal.corp.example.test", Keytab: kdc.Keytab("HTTP/portal.corp.example.test")},
	})
	if err != nil {
		panic(err)
	}
	id, err := a.Password(context.Background(), `corp\ALICE`, []byte("Correct-Horse-1"))
	if err != nil {
		panic(err)
	}
	fmt.Println(id.Principal, id.UPN, id.KDCVerified)

	_, err = a.Password(context.Background(), "alice", []byte("wrong"))
	if refused, ok := errors.AsType[*kerberos.AuthError](err); ok {
		fmt.Println(refused.Reason)
	}
	// Output:
	// alice@CORP.EXAMPLE.TEST alice@example.com true
	// bad_credentials
}

func ExampleAcceptor_Accept() {
	kdc, err := kerberostest.Start(kerberostest.Config{
		Realm: "CORP.EXAMPLE.TEST", Services: []kerberostest.Service{{SPN: "HTTP/portal.corp.example.test"}},
		Users: []kerberostest.User{{Name: "alice", Password: "Correct-Horse-1"}},
	})
	if err != nil {
		panic(err)
	}
	defer kdc.Close()
	client, err := kerberos.NewClient(kerberos.ClientConfig{Realms: []kerberos.Realm{kdc.Realm()}, Principal: "alice@CORP.EXAMPLE.TEST", Password: []byte("Correct-Horse-1")})
	if err != nil {
		panic(err)
	}
	acceptor, err := kerberos.NewAcceptor(kerberos.AcceptorConfig{
		Keytab: kdc.Keytab("HTTP/portal.corp.example.test"), SPNs: []string{"HTTP/*"}, AllowedRealms: []string{"CORP.EXAMPLE.TEST"},
		Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{}),
	})
	if err != nil {
		panic(err)
	}
	initiation, err := client.Initiate(context.Background(), kerberos.InitiateConfig{SPN: "HTTP/portal.corp.example.test"})
	if err != nil {
		panic(err)
	}
	accepted, err := acceptor.Accept(context.Background(), initiation.Token, kerberos.AcceptInput{})
	if err != nil {
		panic(err)
	}
	_, err = initiation.Finish(accepted.Reply) // the service's own proof
	fmt.Println(accepted.Principal, err)
	_, err = acceptor.Accept(context.Background(), initiation.Token, kerberos.AcceptInput{})
	fmt.Println(errors.Is(err, kerberos.ErrReplay))
	// Output:
	// alice@CORP.EXAMPLE.TEST <nil>
	// true
}
