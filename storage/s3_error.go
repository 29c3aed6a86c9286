package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// s3Fault is an error of the server in our words: errors.Is finds our sentinel
// and what the SDK said. The SDK's own text is not shown: it holds addresses
// with upload ids.
type s3Fault struct {
	text string
	kind error // sentinel; nil: none
	err  error
}

func (f *s3Fault) Error() string { return f.text }

func (f *s3Fault) Unwrap() []error {
	if f.kind == nil {
		return []error{f.err}
	}
	return []error{f.kind, f.err}
}

// explain turns an error of the SDK into one of ours: what was being done, what
// is wrong in the operator's words, and a sentinel where there is one.
func (s *S3) explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	words, kind := s.verdict(err)
	if kind == ErrNotFound {
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	text := doing + ": "
	if words != "" {
		text += words + ": "
	}
	return &s3Fault{text: text + s.plain(err), kind: kind, err: err}
}

// verdict finds the sentinel for an error, and words that help.
func (s *S3) verdict(err error) (words string, kind error) {
	code, status := codeOf(err), statusOf(err)
	switch code {
	case "NoSuchKey", "NotFound":
		return "", ErrNotFound
	case "NoSuchBucket":
		return fmt.Sprintf("bucket %s does not exist", s.cfg.Bucket), nil
	case "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem":
		return fmt.Sprintf("the server does not allow it in bucket %s", s.cfg.Bucket), fs.ErrPermission
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound", "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return "the server refuses the credentials", fs.ErrPermission
	case "RequestTimeTooSkewed":
		return "the clock of this machine is wrong", nil
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "TemporaryRedirect", "MovedPermanently", "301":
		return "the region or the endpoint is wrong", nil
	case "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "StorageFull", "InsufficientCapacity", "CapExceeded", "ServiceQuotaExceededException":
		return "the bucket is full", ErrNoSpace
	case "ObjectParentIsFile", "ExistingObjectIsDirectory", "XMinioParentIsObject", "XMinioObjectExistsAsDirectory", "ObjectExistsAsDirectory":
		return "it lies above or below another object", ErrInvalidKey
	case "PreconditionFailed", "InvalidRange":
		return "", ErrChanged
	}
	switch {
	case status == http.StatusInsufficientStorage:
		return "the bucket is full", ErrNoSpace
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Sprintf("the server does not allow it in bucket %s", s.cfg.Bucket), fs.ErrPermission
	case status >= 500 || status == http.StatusTooManyRequests || status == 0 && (isNetwork(err) || brokeOff(err)):
		return "the object store cannot be reached or cannot answer", ErrUnavailable
	}
	return "", nil
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// statusOf returns the HTTP status of the answer; 0 when there was none.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

func isNetwork(err error) bool {
	var sent *url.Error
	return errors.As(err, &sent)
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// plain is the text of an error of the SDK without addresses, queries and
// whatever a server may have sent back of our own request.
func (s *S3) plain(err error) string {
	var api smithy.APIError
	var sent *url.Error
	text := ""
	switch {
	case errors.As(err, &api):
		text = strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	case errors.As(err, &sent):
		text = sent.Err.Error()
	case statusOf(err) != 0:
		text = "an answer that is not S3's"
	default:
		text = err.Error()
	}
	if status := statusOf(err); status != 0 {
		text += fmt.Sprintf(" (status %d)", status)
	}
	return s.redact(text)
}

const shown = 300 // bytes of a server's text

// redact cuts a text that a server may have written to one short line that says nothing of our credentials.
func (s *S3) redact(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	words := strings.Fields(text)
	for i, word := range words { // an address is shown without its query
		words[i], _, _ = strings.Cut(word, "?")
	}
	text = strings.Join(words, " ")
	lower := strings.ToLower(text)
	for _, sign := range []string{"signature=", "credential=", "aws4-hmac", "x-amz-security-token", "authorization:"} {
		if strings.Contains(lower, sign) {
			return "(a text that repeats our signature is not shown)"
		}
	}
	for _, secret := range []string{s.cfg.SecretAccessKey, s.cfg.AccessKeyID} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return text
}
