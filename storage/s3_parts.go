package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

var _ Parter = (*S3)(nil)

// BeginParts implements Parter. The parts have no checksums beside them, which
// would have to be kept until the end; the signature of each covers its
// content, so the server refuses what was damaged on the way.
func (s *S3) BeginParts(ctx context.Context, key Key) (string, error) {
	if err := key.Validate(); err != nil {
		return "", err
	}
	doing := "begin " + string(key)
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.cfg.Bucket, Key: aws.String(s.ObjectName(key)),
		ServerSideEncryption: types.ServerSideEncryption(s.cfg.Encryption), SSEKMSKeyId: optional(s.cfg.KMSKeyID),
		StorageClass: types.StorageClass(s.cfg.StorageClass),
	})
	if err != nil {
		return "", s.explain(ctx, doing, err)
	}
	if aws.ToString(out.UploadId) == "" {
		return "", fmt.Errorf("%s: the server gives no upload id", doing)
	}
	return *out.UploadId, nil
}

// PutPart implements Parter.
func (s *S3) PutPart(ctx context.Context, key Key, name string, number int, body io.ReadSeeker, size int64) error {
	if number < 1 || number > maxParts {
		return fmt.Errorf("put part %d of %s: there are parts 1 to %d", number, key, maxParts)
	}
	_, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &s.cfg.Bucket, Key: aws.String(s.ObjectName(key)), UploadId: &name,
		PartNumber: aws.Int32(int32(number)), Body: body, ContentLength: &size,
	})
	return s.explainPart(ctx, fmt.Sprintf("put part %d of %s", number, key), err)
}

// explainPart is explain for requests to an unfinished object.
func (s *S3) explainPart(ctx context.Context, doing string, err error) error {
	if codeOf(err) == "NoSuchUpload" {
		return fmt.Errorf("%s: it is not begun, or ended: %w", doing, ErrNotFound)
	}
	return s.explain(ctx, doing, err)
}

// Parts implements Parter: all pages of 1,000.
func (s *S3) Parts(ctx context.Context, key Key, name string) ([]Part, error) {
	doing := "list the parts of " + string(key)
	in := &s3.ListPartsInput{Bucket: &s.cfg.Bucket, Key: aws.String(s.ObjectName(key)), UploadId: &name}
	var parts []Part
	for {
		page, err := s.client.ListParts(ctx, in)
		if err != nil {
			return nil, s.explainPart(ctx, doing, err)
		}
		for _, p := range page.Parts {
			parts = append(parts, Part{Number: int(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size), ETag: aws.ToString(p.ETag)})
		}
		if !aws.ToBool(page.IsTruncated) {
			return parts, nil
		}
		next := aws.ToString(page.NextPartNumberMarker)
		if next == "" || next == aws.ToString(in.PartNumberMarker) {
			return nil, fmt.Errorf("%s: the server does not say where its next page begins", doing)
		}
		in.PartNumberMarker = &next
	}
}

// CompleteParts implements Parter. When the answer is lost, the retry hears that
// there is no such upload: the caller finds the object then.
func (s *S3) CompleteParts(ctx context.Context, key Key, name string, parts []Part) error {
	done := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		done[i] = types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: aws.String(p.ETag)}
	}
	_, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.cfg.Bucket, Key: aws.String(s.ObjectName(key)), UploadId: &name,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	}, func(o *s3.Options) { o.HTTPClient = s.patient })
	return s.explainPart(ctx, "complete "+string(key), err)
}

// AbortParts implements Parter.
func (s *S3) AbortParts(ctx context.Context, key Key, name string) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &s.cfg.Bucket, Key: aws.String(s.ObjectName(key)), UploadId: &name,
	})
	if err = s.explainPart(ctx, "give "+string(key)+" up", err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Unfinished implements Parter.
func (s *S3) Unfinished(ctx context.Context, prefix Key, yield func(Unfinished) error) error {
	doing := "list unfinished objects " + string(prefix)
	in := &s3.ListMultipartUploadsInput{Bucket: &s.cfg.Bucket, Prefix: aws.String(s.ObjectName(prefix))}
	for {
		page, err := s.client.ListMultipartUploads(ctx, in)
		if err != nil {
			return s.explain(ctx, doing, err)
		}
		for _, u := range page.Uploads {
			name, ours := strings.CutPrefix(aws.ToString(u.Key), s.cfg.Prefix)
			if !ours || Key(name).Validate() != nil {
				continue
			}
			if err := yield(Unfinished{Key: Key(name), Name: aws.ToString(u.UploadId), Begun: aws.ToTime(u.Initiated).UTC()}); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		key, id := aws.ToString(page.NextKeyMarker), aws.ToString(page.NextUploadIdMarker)
		if key == "" || key == aws.ToString(in.KeyMarker) && id == aws.ToString(in.UploadIdMarker) {
			return fmt.Errorf("%s: the server does not say where its next page begins", doing)
		}
		in.KeyMarker, in.UploadIdMarker = &key, optional(id)
	}
}
