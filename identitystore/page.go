package identitystore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// maxToken is the longest page token that is looked at.
const maxToken = 65_535

// pageAlphabet is the one that clients of the AWS API know (no underscore); strict, so that one position has one token.
var pageAlphabet = base64.RawStdEncoding.Strict() //nolint:gochecknoglobals // never changes

// pageToken is what a NextToken carries. It is bound to tenant, verb and filter by its MAC.
type pageToken struct {
	Verb   string `json:"v"`
	Filter string `json:"f"`
	After  string `json:"a"`
}

func (s *Service) sealToken(t pageToken) string {
	raw, err := json.Marshal(t)
	if err != nil {
		panic("identitystore: a token of strings cannot be encoded: " + err.Error())
	}
	return pageAlphabet.EncodeToString(append(raw, s.tokenMAC(raw)...))
}

func (s *Service) tokenMAC(raw []byte) []byte {
	h := hmac.New(sha256.New, s.cfg.PageKey)
	h.Write([]byte(s.cfg.Tenant))
	h.Write([]byte{0})
	h.Write(raw)
	return h.Sum(nil)
}

// openToken returns the position in a token; "" is the beginning.
func (s *Service) openToken(token, verb, filter string) (string, error) {
	if token == "" {
		return "", nil
	}
	bad := invalid("nextToken", ReasonToken, "is not valid for this request")
	if len(token) > maxToken {
		return "", bad
	}
	raw, err := pageAlphabet.DecodeString(token)
	if err != nil || len(raw) < sha256.Size {
		return "", bad
	}
	body, mac := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	var t pageToken
	if !hmac.Equal(mac, s.tokenMAC(body)) || json.Unmarshal(body, &t) != nil || t.Verb != verb || t.Filter != filter {
		return "", bad
	}
	return t.After, nil
}

// pageSize checks MaxResults; 0 is the default.
func (s *Service) pageSize(n int) (int, error) {
	limit := s.cfg.Limits.Page
	if limit == 0 {
		limit = 100
	}
	switch {
	case n == 0:
		return limit, nil
	case n < 0 || n > limit:
		return 0, invalid("maxResults", ReasonForm, "is out of range")
	}
	return n, nil
}
