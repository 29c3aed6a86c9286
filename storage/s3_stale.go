package storage

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// AbortStale gives up uploads in parts, below our prefix, of which nothing came
// for olderThan by the server's clock, and returns how many. It is how what a
// killed process left is removed. An upload that is still fed (by any process: a
// resumable upload of days, a film that is being encoded) has a young part and stays.
func (s *S3) AbortStale(ctx context.Context, olderThan time.Duration) (int, error) {
	const doing = "remove abandoned uploads"
	total := 0
	for {
		old, now, listErr := s.uploads(ctx, olderThan)
		aborted := 0
		var faults []error
		for _, u := range old {
			gone, err := s.abortIfStale(ctx, u, now.Add(-olderThan))
			if ctx.Err() != nil {
				return total + aborted, s.explain(ctx, doing, ctx.Err())
			}
			if err != nil {
				faults = append(faults, s.explain(ctx, doing+" of "+aws.ToString(u.Key), err))
			} else if gone {
				aborted++
			}
		}
		total += aborted
		if listErr == nil || aborted == 0 {
			return total, errors.Join(append(faults, s.explain(ctx, doing, listErr))...)
		}
		// The list broke off: some servers (versitygw 1.8) cannot give a second page when
		// one key has many uploads. There are fewer now.
	}
}

// uploads returns the uploads that were begun longer ago than olderThan, and the
// server's time; with an error, those that were listed before it. All are listed
// before one is given up: a server may not know where to go on after one that is gone.
func (s *S3) uploads(ctx context.Context, olderThan time.Duration) (old []types.MultipartUpload, now time.Time, err error) {
	in := &s3.ListMultipartUploadsInput{Bucket: &s.cfg.Bucket, Prefix: &s.cfg.Prefix}
	for {
		page, err := s.client.ListMultipartUploads(ctx, in)
		if err != nil {
			return old, now, err
		}
		if now.IsZero() {
			var known bool
			if now, known = awsmiddleware.GetServerTime(page.ResultMetadata); !known {
				return nil, now, errors.New("the server does not say what time it is")
			}
		}
		for _, u := range page.Uploads {
			if strings.HasPrefix(aws.ToString(u.Key), s.cfg.Prefix) && u.Initiated != nil && u.Initiated.Before(now.Add(-olderThan)) {
				old = append(old, u)
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return old, now, nil
		}
		key, id := aws.ToString(page.NextKeyMarker), aws.ToString(page.NextUploadIdMarker)
		if key == "" || key == aws.ToString(in.KeyMarker) && id == aws.ToString(in.UploadIdMarker) {
			return old, now, errors.New("the server does not say where its next page begins")
		}
		in.KeyMarker, in.UploadIdMarker = &key, optional(id)
	}
}

// abortIfStale gives up one upload unless something of it is younger than limit.
func (s *S3) abortIfStale(ctx context.Context, u types.MultipartUpload, limit time.Time) (bool, error) {
	in := &s3.ListPartsInput{Bucket: &s.cfg.Bucket, Key: u.Key, UploadId: u.UploadId}
	for {
		page, err := s.client.ListParts(ctx, in)
		if codeOf(err) == "NoSuchUpload" {
			return false, nil // finished or given up meanwhile
		}
		if err != nil {
			return false, err
		}
		for _, part := range page.Parts {
			if part.LastModified != nil && part.LastModified.After(limit) {
				return false, nil
			}
		}
		next := aws.ToString(page.NextPartNumberMarker)
		if !aws.ToBool(page.IsTruncated) {
			break
		}
		if next == "" || next == aws.ToString(in.PartNumberMarker) {
			return false, errors.New("the server does not say where its next page of parts begins")
		}
		in.PartNumberMarker = &next
	}
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.cfg.Bucket, Key: u.Key, UploadId: u.UploadId})
	if err != nil && codeOf(err) != "NoSuchUpload" {
		return false, err
	}
	s.log.Info("removed what an upload left that nobody goes on with", "object", strings.TrimPrefix(aws.ToString(u.Key), s.cfg.Prefix), "begun", u.Initiated.UTC())
	return true, nil
}
