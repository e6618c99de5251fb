package identitystore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/identitystore"
)

func fill(tb testing.TB, n int) *identitystore.Service {
	tb.Helper()
	svc, err := identitystore.Open(tb.Context(), identitystore.Config{Store: new(identitystore.Memory)})
	require.NoError(tb, err)
	require.NoError(tb, svc.Update(tb.Context(), identitystore.Author{}, func(tx *identitystore.Tx) error {
		for i := range n {
			if _, err := tx.CreateUser(tb.Context(), &identitystore.User{UserName: fmt.Sprintf("user%d@corp.example.test", i), DisplayName: "User"}); err != nil {
				return err
			}
		}
		return nil
	}))
	return svc
}

func BenchmarkUserByName(b *testing.B) {
	svc := fill(b, 100_000)
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("user%d@corp.example.test", i*7919%100_000)
	}
	ctx := b.Context()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := svc.UserByName(ctx, names[i%len(names)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReaderUserByName(b *testing.B) {
	r := fill(b, 100_000).Reader()
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("user%d@corp.example.test", i*7919%100_000)
	}
	ctx := b.Context()
	for i := 0; b.Loop(); i++ {
		if _, err := r.UserByName(ctx, names[i%len(names)]); err != nil {
			b.Fatal(err)
		}
	}
}
