package main

import (
	"fmt"
	"log/slog"

	"github.com/adfedkit/adfedkit/directory"
	"github.com/adfedkit/adfedkit/directory/directorytest"
	"github.com/adfedkit/adfedkit/kerberos"
	"github.com/adfedkit/adfedkit/kerberos/kerberostest"
)

// The embedded test domain: a KDC and a domain controller inside this process, on loopback, with the same four people.
const (
	demoDNS     = "corp.example.test"
	demoNetBIOS = "CORP"
	demoSuffix  = "example.com"
	demoSID     = "S-1-5-21-1004336348-1177238915-682003330"
	demoSPN     = "HTTP/portal.corp.example.test"
	demoAdmins  = "Engineering"
)

// demoUser is a person of the test domain. The passwords are public: they open nothing but this demo.
type demoUser struct {
	name, given, surname, password string
	rid                            uint32
	disabled                       bool
}

func demoUsers() []demoUser {
	return []demoUser{
		{name: "alice", given: "Alice", surname: "Archer", password: "Correct-Horse-1", rid: 1201},
		{name: "bob", given: "Bob", surname: "Baker", password: "Battery-Staple-2", rid: 1202},
		{name: "carol", given: "Carol", surname: "Carter", password: "Blue-Harbour-3", rid: 1203},
		{name: "dave", given: "Dave", surname: "Dyer", password: "Quiet-River-4", rid: 1204, disabled: true},
	}
}

// RIDs of the groups: Engineering holds Platform, Platform holds SRE, SRE holds alice.
const (
	ridEngineering = 1301
	ridPlatform    = 1302
	ridSRE         = 1303
)

const syncPassword = "Demo-Sync-Account-5" //nolint:gosec // of the embedded test domain

func embeddedDomain(logger *slog.Logger, t *telemetry) (*domain, error) {
	kdc, err := kerberostest.Start(demoKDC())
	if err != nil {
		return nil, err
	}
	ldap, err := directorytest.Start(directorytest.Config{Domains: []directorytest.Domain{{
		DNS: demoDNS, NetBIOS: demoNetBIOS, SID: demoSID, UPNSuffixes: []string{demoSuffix},
	}}})
	if err != nil {
		kdc.Close()
		return nil, err
	}
	stop := func() { ldap.Close(); kdc.Close() }
	fillDirectory(ldap.Domain(demoDNS))
	d, err := newDomain(
		kerberos.AuthenticatorConfig{
			Realms:  []kerberos.Realm{kdc.Realm()},
			Service: kerberos.Service{SPN: demoSPN, Realm: kdc.Realm().Name, Keytab: kdc.Keytab(demoSPN)},
		},
		kerberos.AcceptorConfig{
			Keytab: kdc.Keytab(demoSPN), AllowedRealms: []string{kdc.Realm().Name}, Realms: []kerberos.Realm{kdc.Realm()},
			Replay: kerberos.NewReplayCache(kerberos.MemoryReplayConfig{}),
		},
		directory.Config{Domains: []directory.Domain{{
			DNS: demoDNS, NetBIOS: demoNetBIOS, UPNSuffixes: []string{demoSuffix}, Servers: []string{ldap.Domain(demoDNS).URL()},
			TLS: ldap.ClientTLS(), Bind: directory.NewSimpleBind("svc-sync@"+demoDNS, []byte(syncPassword)),
		}}}, nil, logger, t)
	if err != nil {
		stop()
		return nil, fmt.Errorf("embedded domain: %w", err)
	}
	closeClient := d.close
	d.close = func() { closeClient(); stop() }
	d.demo, d.test = demoUsers(), ldap
	return d, nil
}

func demoKDC() kerberostest.Config {
	cfg := kerberostest.Config{
		Realm: "CORP.EXAMPLE.TEST", NetBIOS: demoNetBIOS, DomainSID: demoSID, UPNSuffixes: []string{demoSuffix},
		Services: []kerberostest.Service{{SPN: demoSPN}},
	}
	for _, u := range demoUsers() {
		k := kerberostest.User{Name: u.name, UPN: u.name + "@" + demoSuffix, FullName: u.given + " " + u.surname, Password: u.password, RID: u.rid}
		if u.name == "alice" {
			k.Groups = []uint32{ridSRE, ridPlatform, ridEngineering}
		}
		if u.disabled {
			k.State = kerberostest.Disabled
		}
		cfg.Users = append(cfg.Users, k)
	}
	return cfg
}

func fillDirectory(dc *directorytest.DC) {
	people := map[string]*directorytest.Object{}
	for _, u := range demoUsers() {
		people[u.name] = dc.AddUser(directorytest.User{
			Name: u.name, CN: u.given + " " + u.surname, UPN: u.name + "@" + demoSuffix, Password: u.password, OU: "People",
			GivenName: u.given, Surname: u.surname, DisplayName: u.given + " " + u.surname, Mail: u.name + "@" + demoSuffix,
			RID: u.rid, Disabled: u.disabled,
		})
	}
	dc.AddUser(directorytest.User{Name: "svc-sync", Password: syncPassword, OU: "Services", RID: 1205})
	engineering := dc.AddGroup(directorytest.Group{Name: "Engineering", OU: "Groups", RID: ridEngineering})
	platform := dc.AddGroup(directorytest.Group{Name: "Platform", OU: "Groups", RID: ridPlatform})
	sre := dc.AddGroup(directorytest.Group{Name: "SRE", OU: "Groups", RID: ridSRE})
	dc.AddMember(engineering, platform)
	dc.AddMember(platform, sre)
	dc.AddMember(sre, people["alice"])
}
