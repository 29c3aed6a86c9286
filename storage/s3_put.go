package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

const (
	firstBuffer = 256 << 10        // bytes; grows to a whole part
	abortTime   = 30 * time.Second // for an abort, which goes on after the caller's context ended
	putMark     = "reprise-put"    // metadata of an object in parts: which Put made it
)

// Put implements Store. It cannot interrupt a Read of r that blocks: cancel that too.
func (s *S3) Put(ctx context.Context, key Key, r io.Reader) (Info, error) {
	if err := key.Validate(); err != nil {
		return Info{}, err
	}
	p := &s3Put{s: s, key: key, name: s.ObjectName(key), partSize: s.cfg.PartSize, mark: RandomName()}
	if err := p.plan(r); err != nil {
		return Info{}, err
	}
	first, last, err := p.first(ctx, r)
	defer p.release()
	if err != nil {
		return Info{}, p.fault(ctx, err)
	}
	if last {
		return p.whole(ctx, first)
	}
	return p.inParts(ctx, r)
}

// s3Put is one Put.
type s3Put struct {
	s        *S3
	key      Key
	name     string // in the bucket
	partSize int64
	mark     string
	own      *[]byte // the buffer that this Put always has; nil while small

	id        string // of the upload
	checksums bool   // the server checks the parts' SHA-256 and keeps them

	mu     sync.Mutex // guards below
	parts  []types.CompletedPart
	failed error
}

// sourceError is an error of the reader, which is handed on as it is.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

func (p *s3Put) fault(ctx context.Context, err error) error {
	var source sourceError
	if errors.As(err, &source) && ctx.Err() == nil {
		return fmt.Errorf("put %s: %w", p.key, source.error)
	}
	return p.s.explain(ctx, "put "+string(p.key), err)
}

// plan makes the parts larger when it is known that there would be too many. All
// parts of an object are of one size: Cloudflare R2 takes nothing else.
func (p *s3Put) plan(r io.Reader) error {
	size := int64(0)
	switch r := r.(type) {
	case interface{ Size() int64 }:
		size = r.Size()
	case interface{ Len() int }:
		size = int64(r.Len())
	}
	if file, ok := r.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if st, err := file.Stat(); err == nil && st.Mode().IsRegular() {
			size = st.Size()
		}
	}
	if size > maxPartSize*maxParts {
		return fmt.Errorf("put %s: %d bytes are more than an object can have", p.key, size)
	}
	for p.partSize*maxParts < size {
		p.partSize *= 2
	}
	return nil
}

// first reads until the source ends or a whole part is there; last says that it ended.
func (p *s3Put) first(ctx context.Context, r io.Reader) (b []byte, last bool, err error) {
	buffer := make([]byte, min(firstBuffer, p.partSize))
	n := 0
	for {
		m, end, err := fill(ctx, r, buffer[n:])
		if n += m; err != nil || end {
			return buffer[:n], end, err
		}
		if int64(n) == p.partSize {
			p.own = &buffer
			return buffer, false, nil
		}
		larger := p.buffer(min(int64(n)*4, p.partSize))
		copy(larger, buffer)
		buffer = larger
	}
}

// buffer returns a new buffer; a whole part's from those that other Puts gave back.
func (p *s3Put) buffer(size int64) []byte {
	if size == p.s.cfg.PartSize {
		return *p.s.buffers.Get().(*[]byte)
	}
	return make([]byte, size)
}

func (p *s3Put) giveBack(b []byte) {
	if int64(len(b)) == p.s.cfg.PartSize {
		p.s.buffers.Put(&b)
	}
}

func (p *s3Put) release() {
	if p.own != nil {
		p.giveBack(*p.own)
	}
}

// fill reads until b is full or the source ends; it looks at the context between reads.
func fill(ctx context.Context, r io.Reader, b []byte) (n int, end bool, err error) {
	for n < len(b) {
		if err := ctx.Err(); err != nil {
			return n, false, err
		}
		m, err := r.Read(b[n:min(len(b), n+1<<20)])
		n += m
		if errors.Is(err, io.EOF) {
			return n, true, nil
		}
		if err != nil {
			return n, false, sourceError{err}
		}
	}
	return n, false, nil
}

// whole stores a small object in one request. The signature covers the content's
// SHA-256, so the server refuses what was damaged on the way.
func (p *s3Put) whole(ctx context.Context, content []byte) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, p.fault(ctx, err)
	}
	sum := sha256.Sum256(content)
	out, err := p.s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &p.s.cfg.Bucket, Key: &p.name, Body: bytes.NewReader(content), ContentLength: aws.Int64(int64(len(content))),
		ServerSideEncryption: types.ServerSideEncryption(p.s.cfg.Encryption), SSEKMSKeyId: optional(p.s.cfg.KMSKeyID),
		StorageClass: types.StorageClass(p.s.cfg.StorageClass),
	}, withHash(sum))
	if err != nil {
		return Info{}, p.fault(ctx, err)
	}
	if at, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok {
		return Info{Key: p.key, Size: int64(len(content)), Modified: at.UTC()}, nil
	}
	return p.s.Stat(ctx, p.key)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// withHash tells the signer the SHA-256 of the body, so that it is not computed twice.
func withHash(sum [sha256.Size]byte) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("KnownPayloadHash", func(
				ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
			) (middleware.FinalizeOutput, middleware.Metadata, error) {
				return next.HandleFinalize(v4.SetPayloadHash(ctx, hex.EncodeToString(sum[:])), in)
			}), "ComputePayloadHash", middleware.Before)
		})
	}
}

// inParts stores an object of which p.own is the first part.
func (p *s3Put) inParts(ctx context.Context, r io.Reader) (Info, error) {
	if err := p.begin(ctx); err != nil {
		return Info{}, p.fault(ctx, err)
	}
	size, err := p.send(ctx, r)
	var at time.Time
	if err == nil {
		at, err = p.complete(ctx)
	}
	if err != nil {
		p.abort(ctx)
		return Info{}, p.fault(ctx, err)
	}
	// Another Put or Delete may have come already: then there is nothing to compare.
	head, err := p.s.head(ctx, "put", p.key)
	if err == nil && p.isOurs(head) {
		if *head.ContentLength != size {
			return Info{}, fmt.Errorf("put %s: the server kept %d bytes of %d", p.key, *head.ContentLength, size)
		}
		at = aws.ToTime(head.LastModified)
	}
	return Info{Key: p.key, Size: size, Modified: at.UTC()}, nil
}

// begin asks for an upload, with checksums if the server knows them.
func (p *s3Put) begin(ctx context.Context) error {
	in := &s3.CreateMultipartUploadInput{
		Bucket: &p.s.cfg.Bucket, Key: &p.name, Metadata: map[string]string{putMark: p.mark},
		ServerSideEncryption: types.ServerSideEncryption(p.s.cfg.Encryption), SSEKMSKeyId: optional(p.s.cfg.KMSKeyID),
		StorageClass: types.StorageClass(p.s.cfg.StorageClass),
	}
	if !p.s.noChecksums.Load() {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
	}
	out, err := p.s.client.CreateMultipartUpload(ctx, in)
	if status := statusOf(err); in.ChecksumAlgorithm != "" && (status == http.StatusBadRequest || status == http.StatusNotImplemented) {
		in.ChecksumAlgorithm = ""
		if out, err = p.s.client.CreateMultipartUpload(ctx, in); err == nil {
			p.s.noChecksums.Store(true)
			p.s.log.Debug("the object store refuses checksums of parts; going on without", "bucket", p.s.cfg.Bucket)
		}
	}
	if err != nil {
		return err
	}
	if aws.ToString(out.UploadId) == "" {
		return errors.New("the server gives no upload id")
	}
	p.id = *out.UploadId
	p.checksums = out.ChecksumAlgorithm == types.ChecksumAlgorithmSha256
	return nil
}

// send reads r and sends the parts, several at once while buffers can be had. It
// returns when none is on its way any more.
func (p *s3Put) send(ctx context.Context, r io.Reader) (size int64, err error) {
	var onTheWay sync.WaitGroup
	defer onTheWay.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // runs before Wait: parts of an object that will not be are given up

	n, end := len(*p.own), false
	for number := int32(1); ; number++ {
		size += int64(n)
		if number > maxParts {
			return size, fmt.Errorf("more than %d parts of %d bytes: set a larger part size", maxParts, p.partSize)
		}
		part, content := *p.own, (*p.own)[:n]
		select {
		case p.s.extra <- struct{}{}:
			onTheWay.Go(func() {
				p.part(ctx, number, content)
				p.giveBack(part)
				<-p.s.extra
			})
			next := p.buffer(p.partSize)
			p.own = &next
		default:
			p.part(ctx, number, content)
		}
		if err := p.failure(); err != nil {
			return size, err
		}
		if end {
			break
		}
		if n, end, err = fill(ctx, r, *p.own); err != nil {
			return size, err
		}
		if n == 0 { // ended on the border of a part
			break
		}
	}
	onTheWay.Wait()
	return size, p.failure()
}

func (p *s3Put) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// part sends one part and notes it, or the failure.
func (p *s3Put) part(ctx context.Context, number int32, content []byte) {
	sum := sha256.Sum256(content)
	in := &s3.UploadPartInput{
		Bucket: &p.s.cfg.Bucket, Key: &p.name, UploadId: &p.id, PartNumber: &number,
		Body: bytes.NewReader(content), ContentLength: aws.Int64(int64(len(content))),
	}
	done := types.CompletedPart{PartNumber: &number}
	if p.checksums {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(sum[:]))
		done.ChecksumSHA256 = in.ChecksumSHA256
	}
	out, err := p.s.client.UploadPart(ctx, in, withHash(sum))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if p.failed == nil {
			p.failed = err
		}
		return
	}
	done.ETag = out.ETag
	for int32(len(p.parts)) < number {
		p.parts = append(p.parts, types.CompletedPart{})
	}
	p.parts[number-1] = done
}

// complete makes the object of its parts and returns when, by the server's
// clock. When the answer is lost, the object itself says whether it was done: a
// second request would only hear that there is no such upload.
func (p *s3Put) complete(ctx context.Context) (time.Time, error) {
	out, err := p.s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &p.s.cfg.Bucket, Key: &p.name, UploadId: &p.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: p.parts},
	}, func(o *s3.Options) { o.HTTPClient = p.s.patient })
	if err == nil {
		at, _ := awsmiddleware.GetServerTime(out.ResultMetadata)
		return at, nil
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	if head, headErr := p.s.head(after, "put", p.key); headErr == nil && p.isOurs(head) {
		return aws.ToTime(head.LastModified), nil
	}
	return time.Time{}, err
}

func (p *s3Put) isOurs(head *s3.HeadObjectOutput) bool { return head.Metadata[putMark] == p.mark }

// abort gives the parts back. What it cannot reach AbortStale finds later.
func (p *s3Put) abort(ctx context.Context) {
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	_, err := p.s.client.AbortMultipartUpload(after, &s3.AbortMultipartUploadInput{Bucket: &p.s.cfg.Bucket, Key: &p.name, UploadId: &p.id})
	if err != nil && codeOf(err) != "NoSuchUpload" {
		p.s.log.Warn("parts of an object that was given up are left in the bucket; AbortStale removes them later",
			"object", string(p.key), "error", p.s.plain(err))
	}
}
