package identitystore_test

import (
	"testing"

	"github.com/adfedkit/adfedkit/identitystore"
	"github.com/adfedkit/adfedkit/identitystore/storetest"
)

func TestMemoryConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(testing.TB) identitystore.Store { return new(identitystore.Memory) })
}
