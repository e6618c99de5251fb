package awsapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/adfedkit/adfedkit/identitystore"
)

// store is one identity store of the API.
type store struct {
	*identitystore.Service

	partition, account string
}

// arn names a user, group or membership. Such names carry neither region nor account.
func (s *store) arn(kind, id string) string {
	return "arn:" + s.partition + ":identitystore:::" + strings.ToLower(kind) + "/" + id
}

func (s *store) describe() map[string]any {
	return map[string]any{"IdentityStoreId": s.Tenant(), "IdentityStoreArn": "arn:" + s.partition + ":identitystore::" + s.account + ":identitystore/" + s.Tenant()}
}

// named is what every answer about a User, Group or Membership holds.
func (s *store) named(kind, id string) map[string]any {
	return map[string]any{"IdentityStoreId": s.Tenant(), kind + "Id": id, kind + "Arn": s.arn(kind, id)}
}

// written is named with the revision, which a later change may demand.
func (s *store) written(kind, id string, a *identitystore.Audit) map[string]any {
	out := s.named(kind, id)
	out["Revision"] = a.Revision()
	return out
}

// requestID is a UUID, as clients expect it.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// store finds the store that a request names by id or ARN.
func (h *Handler) store(in *input) (*store, error) {
	id := in.text("IdentityStoreId", true)
	if in.err != nil {
		return nil, in.err
	}
	bare := id
	if i := strings.LastIndexByte(id, '/'); strings.HasPrefix(id, "arn:") && i >= 0 {
		bare = id[i+1:]
	}
	if len(bare) > maxStoreID {
		return nil, validation("IdentityStoreId is too long")
	}
	if s := h.stores[bare]; s != nil {
		return s, nil
	}
	return nil, &identitystore.ResourceNotFoundError{ResourceType: identitystore.ResourceStore, ResourceID: id}
}

// list answers ListIdentityStores. The token names the last store of a page: whoever may ask may see them all.
func (h *Handler) list(in *input) (any, error) {
	rq := in.page()
	if in.err != nil {
		return nil, in.err
	}
	const most = 100
	size, from := rq.MaxResults, 0
	if size == 0 {
		size = most
	}
	if rq.NextToken != "" {
		last, err := base64.StdEncoding.Strict().DecodeString(rq.NextToken)
		i := slices.Index(h.ids, string(last))
		if err != nil || i < 0 {
			return nil, validation("NextToken is not valid for this request")
		}
		from = i + 1
	}
	if size > most {
		return nil, validation("MaxResults is out of range")
	}
	list := []any{}
	to := min(from+size, len(h.ids))
	for _, id := range h.ids[from:to] {
		list = append(list, h.stores[id].describe())
	}
	next := ""
	if to < len(h.ids) {
		next = base64.StdEncoding.EncodeToString([]byte(h.ids[to-1]))
	}
	return paged("IdentityStores", list, next), nil
}

func describeStore(_ context.Context, svc *store, _ *input) (any, error) { return svc.describe(), nil }

// updateStore refuses: networks are the business of whoever serves the handler.
func updateStore(_ context.Context, _ *store, _ *input) (any, error) {
	return nil, validation("the network configuration of this store cannot be written")
}
