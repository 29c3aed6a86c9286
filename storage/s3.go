package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// S3Config says where the bucket is and how to speak to its server. Only Bucket
// is needed; zero values stand for the defaults named here.
type S3Config struct {
	Bucket    string
	Prefix    string // folder in the bucket that all objects lie under, "" or "a/b"
	Endpoint  string // URL of the server; "": AWS, by region
	Region    string // "": the environment's where the keys are not given here, else us-east-1
	PathStyle bool   // https://server/bucket/key instead of https://bucket.server/key
	CAFile    string // PEM file of certificate authorities to trust besides the system's

	AccessKeyID, SecretAccessKey string // both empty: the SDK's chain (environment, shared files, instance role)

	Encryption   string // at rest: "" (the bucket's own setting), "AES256", "aws:kms"
	KMSKeyID     string // of aws:kms; "": the account's default key
	StorageClass string // "": the bucket's own

	PartSize    int64         // bytes of a part of a large object, 5 MiB to 5 GiB; 16 MiB
	Concurrency int           // parts of one object on their way at once; 4
	Attempts    int           // tries of one request; 8
	Timeout     time.Duration // without a byte moving; 30 s

	// Patient makes NewS3 take a server that does not answer now: a node that
	// starts while its store is away still serves what is on its own disk.
	Patient bool
}

// patientCheck is how long a Patient NewS3 waits for the server.
const patientCheck = 5 * time.Second

const (
	defaultPartSize    = 16 << 20
	defaultConcurrency = 4
	defaultAttempts    = 8
	defaultTimeout     = 30 * time.Second

	minPartSize  = 5 << 20 // the protocol's limits
	maxPartSize  = 5 << 30
	maxParts     = 10_000
	maxS3Prefix  = 255
	concurrently = 64 // most parts at once that can be asked for
)

// String hides the secrets, so that a configuration can be printed.
func (c S3Config) String() string { return fmt.Sprintf("s3 bucket %q at %q", c.Bucket, c.Endpoint) }

// GoString is String.
func (c S3Config) GoString() string { return c.String() }

// LogValue is String.
func (c S3Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// withDefaults fills in zero values and reports all faults at once.
func (c S3Config) withDefaults() (S3Config, error) {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("s3: "+format, args...))
		}
	}
	fault(c.Bucket == "" || strings.ContainsAny(c.Bucket, "/?# "), "bucket %q is not a name", c.Bucket)
	fault((c.AccessKeyID == "") != (c.SecretAccessKey == ""), "one of access key id and secret access key is missing")
	fault(c.Encryption != "" && c.Encryption != "AES256" && c.Encryption != "aws:kms", "encryption %q is none of AES256, aws:kms", c.Encryption)
	fault(c.KMSKeyID != "" && c.Encryption != "aws:kms", "a KMS key needs encryption aws:kms")
	c.Prefix = strings.Trim(c.Prefix, "/")
	fault(!validPrefix(c.Prefix), "prefix %q: letters, digits, dots, dashes, underscores and single slashes, %d bytes at most", c.Prefix, maxS3Prefix)
	if c.Prefix != "" {
		c.Prefix += "/"
	}
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		fault(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil,
			"endpoint must be the URL of a server, like https://s3.example.org")
	}
	setDefault(&c.PartSize, defaultPartSize)
	setDefault(&c.Concurrency, defaultConcurrency)
	setDefault(&c.Attempts, defaultAttempts)
	setDefault(&c.Timeout, defaultTimeout)
	fault(c.PartSize < minPartSize || c.PartSize > maxPartSize, "part size of %d bytes is not within 5 MiB and 5 GiB", c.PartSize)
	fault(c.Concurrency < 1 || c.Concurrency > concurrently, "concurrency %d is not within 1 and %d", c.Concurrency, concurrently)
	fault(c.Attempts < 1, "attempts %d: one is the least", c.Attempts)
	fault(c.Timeout < 0, "timeout %s is negative", c.Timeout)
	return c, errors.Join(faults...)
}

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// validPrefix reports whether p can stand before keys in every S3 server; "" can.
func validPrefix(p string) bool {
	if p == "" {
		return true
	}
	for segment := range strings.SplitSeq(p, "/") {
		if !validSegment(strings.ToLower(segment)) {
			return false
		}
	}
	return len(p) <= maxS3Prefix
}

// S3 is a Store in a bucket of an S3-compatible server: the object of a key is
// named by the prefix and the key. It is neither a Creator (what is uploaded
// cannot be written in again) nor a Filer.
//
// Put sends small objects in one request and larger ones in parts, each with
// its SHA-256, which the server checks. Memory is bounded: one part for each
// running Put, and Concurrency-1 more for all of them together. Requests that
// fail are tried again, with growing random pauses; so are the rest of bodies
// that break off. An object that was replaced while it is open returns
// ErrChanged, because every read names the version (ETag) that was opened.
type S3 struct {
	cfg     S3Config
	log     *slog.Logger
	client  *s3.Client
	http    *http.Client
	patient *http.Client // for requests that a server may work on for minutes

	extra       chan struct{} // a token for each part buffer beyond a Put's own
	buffers     sync.Pool     // *[]byte of PartSize
	noChecksums atomic.Bool   // the server refuses checksums of parts
}

var _ Store = (*S3)(nil)

// NewS3 opens the store and checks that the bucket can be reached and listed.
// Close it when done. log gets retries (debug, warn) and never a secret or an address with a query.
func NewS3(ctx context.Context, cfg S3Config, log *slog.Logger) (*S3, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(cfg)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	s := &S3{
		cfg: cfg, log: log,
		http:    clientOf(transport, cfg.Timeout),
		patient: clientOf(transport, max(cfg.Timeout, patience)),
		extra:   make(chan struct{}, cfg.Concurrency-1),
	}
	s.buffers.New = func() any { b := make([]byte, cfg.PartSize); return &b }
	sdk, err := s.sdkConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	s.client = s3.NewFromConfig(sdk, func(o *s3.Options) {
		o.UsePathStyle = cfg.PathStyle
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(strings.TrimSuffix(cfg.Endpoint, "/"))
		}
	})
	checking, cancel := ctx, func() {}
	if cfg.Patient {
		checking, cancel = context.WithTimeout(ctx, patientCheck)
	}
	defer cancel()
	err = s.check(checking, sdk.Credentials)
	if cfg.Patient && ctx.Err() == nil && (checking.Err() != nil || errors.Is(err, ErrUnavailable)) {
		log.ErrorContext(ctx, "the object store does not answer: what is not on this machine cannot be read or written for now", "error", err)
		return s, nil
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// sdkConfig is the SDK's configuration. With keys of our own nothing of the
// machine's AWS files is read.
func (s *S3) sdkConfig(ctx context.Context) (aws.Config, error) {
	var cfg aws.Config
	if s.cfg.AccessKeyID != "" {
		cfg.Credentials = aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(s.cfg.AccessKeyID, s.cfg.SecretAccessKey, ""))
	} else {
		var err error
		// Its own requests for credentials use its own client: the server's CA file is not theirs.
		if cfg, err = config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{})); err != nil {
			return aws.Config{}, fmt.Errorf("read the AWS configuration of this machine: %s", s.plain(err))
		}
	}
	if s.cfg.Region != "" {
		cfg.Region = s.cfg.Region
	}
	setDefault(&cfg.Region, "us-east-1")
	cfg.HTTPClient = s.http
	cfg.Logger = logging.Nop{}
	cfg.ClientLogMode = 0
	cfg.RetryMaxAttempts = s.cfg.Attempts
	cfg.Retryer = func() aws.Retryer { return newRetryer(s) }
	// Many servers do not know the checksums that the SDK would add to every request, some even keep them as content.
	cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	cfg.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	return cfg, nil
}

// check lists one object: unlike HEAD of the bucket its answer says what is wrong.
func (s *S3) check(ctx context.Context, from aws.CredentialsProvider) error {
	doing := fmt.Sprintf("open bucket %s", s.cfg.Bucket)
	if from != nil {
		if _, err := from.Retrieve(ctx); err != nil {
			return fmt.Errorf("%s: no credentials in the configuration, the environment, the AWS files or the role of this machine: %s", doing, s.plain(err))
		}
	}
	_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &s.cfg.Bucket, Prefix: &s.cfg.Prefix, MaxKeys: aws.Int32(1),
	})
	return s.explain(ctx, doing, err)
}

// Close gives idle connections back.
func (s *S3) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// Client returns the SDK's client with our retries and deadlines, for resumable uploads.
func (s *S3) Client() *s3.Client { return s.client }

// Bucket returns the bucket's name.
func (s *S3) Bucket() string { return s.cfg.Bucket }

// ObjectName returns the name of a key's object in the bucket.
func (s *S3) ObjectName(key Key) string { return s.cfg.Prefix + string(key) }

// Open implements Store. Reads end with ctx.
func (s *S3) Open(ctx context.Context, key Key) (Object, error) {
	head, err := s.head(ctx, "open", key)
	if err != nil {
		return nil, err
	}
	return newS3Object(ctx, s, key, head), nil
}

// Stat implements Store.
func (s *S3) Stat(ctx context.Context, key Key) (Info, error) {
	head, err := s.head(ctx, "stat", key)
	if err != nil {
		return Info{}, err
	}
	return Info{Key: key, Size: *head.ContentLength, Modified: aws.ToTime(head.LastModified).UTC()}, nil
}

func (s *S3) head(ctx context.Context, doing string, key Key) (*s3.HeadObjectOutput, error) {
	if err := key.Validate(); err != nil {
		return nil, err
	}
	doing += " " + string(key)
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.cfg.Bucket, Key: aws.String(s.ObjectName(key))})
	if err != nil {
		return nil, s.explain(ctx, doing, err)
	}
	if out.ContentLength == nil {
		return nil, fmt.Errorf("%s: the server does not say how large the object is", doing)
	}
	return out, nil
}

// Delete implements Store.
func (s *S3) Delete(ctx context.Context, key Key) error {
	if err := key.Validate(); err != nil {
		return err
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.cfg.Bucket, Key: aws.String(s.ObjectName(key))})
	if err = s.explain(ctx, "delete "+string(key), err); errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalidKey) {
		return nil // some servers say that there was none
	}
	return err
}

// List implements Store. Names in the bucket that are no keys are passed over.
func (s *S3) List(ctx context.Context, prefix Key, yield func(Info) error) error {
	if _, _, err := splitPrefix(prefix); err != nil {
		return err
	}
	in := &s3.ListObjectsV2Input{Bucket: &s.cfg.Bucket, Prefix: aws.String(s.ObjectName(prefix))}
	doing := "list " + string(prefix)
	for {
		page, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return s.explain(ctx, doing, err)
		}
		for _, o := range page.Contents {
			name, ours := strings.CutPrefix(aws.ToString(o.Key), s.cfg.Prefix)
			if !ours || Key(name).Validate() != nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
			}
			if err := yield(Info{Key: Key(name), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified).UTC()}); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		next := aws.ToString(page.NextContinuationToken)
		if next == "" || next == aws.ToString(in.ContinuationToken) {
			return fmt.Errorf("%s: the server does not say where its next page begins", doing)
		}
		in.ContinuationToken = &next
	}
}
