// Package sigv4 checks the signature of HTTP requests made with AWS Signature Version 4, on the side of the server.
//
// Start with [NewVerifier], then [Verifier.Verify] for each request, or [Verifier.Authorize] where a handler takes a
// function that lets requests in.
//
// Not done: signing; addresses signed beforehand (the query parameters X-Amz-Signature and so on); bodies signed in chunks;
// Signature Version 4A; the canonical path of Amazon S3, which is written differently. A signature holds for as long as its
// time is near: whoever copies a request can send it again until then, as with AWS itself, because clients that ask the same
// twice within a second send the same signature.
//
// It follows "AWS Signature Version 4 for API requests" of the IAM user guide: the canonical request, the string to sign, the
// derived key, and of its rules for headers the strict reading: host, X-Amz-Date and every other X-Amz- header that is sent
// must be signed. A proxy that adds such a header or rewrites Host makes every signature wrong.
//
// A body has at most 1 MiB unless configured otherwise and is hashed only when the key is known; an Authorization header has
// at most 8 KiB.
//
// Reasons and error codes are stable, the codes those of AWS; messages may change.
package sigv4
