package saml_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adfedkit/adfedkit/internal/observetest"
	"github.com/adfedkit/adfedkit/saml"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	s, o := newSetup(), &observetest.Watcher{}
	s.sp.Observer = o
	sp := s.provider(t)
	in := s.in
	in.XML = []byte(signedBoth().xml())
	_, err := sp.Validate(t.Context(), in)
	require.NoError(t, err)
	_, err = sp.Validate(t.Context(), in)
	require.ErrorIs(t, err, saml.ErrReplay)
	in.XML = []byte("<a/>")
	_, err = sp.Validate(t.Context(), in)
	require.Error(t, err)
	require.Equal(t, []string{"saml.check ok", "saml.accept ok", "saml.check ok", "saml.accept replay", "saml.check " + string(saml.ReasonOf(err))}, o.Take())
}
