package storage

import (
	"context"
	"errors"
	"fmt"
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
	in := &s3.ListMultipartUploadsInput{Bucket: &s.cfg.Bucket, Prefix: &s.cfg.Prefix}
	aborted := 0
	var faults []error
	for {
		page, err := s.client.ListMultipartUploads(ctx, in)
		if err != nil {
			return aborted, errors.Join(append(faults, s.explain(ctx, doing, err))...)
		}
		now, known := awsmiddleware.GetServerTime(page.ResultMetadata)
		if !known {
			return aborted, fmt.Errorf("%s: the server does not say what time it is", doing)
		}
		for _, u := range page.Uploads {
			gone, err := s.abortIfStale(ctx, u, now.Add(-olderThan))
			if err != nil {
				if ctx.Err() != nil {
					return aborted, s.explain(ctx, doing, err)
				}
				faults = append(faults, s.explain(ctx, doing+" of "+aws.ToString(u.Key), err))
			} else if gone {
				aborted++
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return aborted, errors.Join(faults...)
		}
		key, id := aws.ToString(page.NextKeyMarker), aws.ToString(page.NextUploadIdMarker)
		if key == "" || key == aws.ToString(in.KeyMarker) && id == aws.ToString(in.UploadIdMarker) {
			return aborted, errors.Join(append(faults, fmt.Errorf("%s: the server does not say where its next page begins", doing))...)
		}
		in.KeyMarker, in.UploadIdMarker = &key, optional(id)
	}
}

// abortIfStale gives up one upload unless something of it is younger than limit.
func (s *S3) abortIfStale(ctx context.Context, u types.MultipartUpload, limit time.Time) (bool, error) {
	name := aws.ToString(u.Key)
	if !strings.HasPrefix(name, s.cfg.Prefix) || u.Initiated == nil || u.Initiated.After(limit) {
		return false, nil
	}
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
	s.log.Info("removed what an upload left that nobody goes on with", "object", strings.TrimPrefix(name, s.cfg.Prefix), "begun", u.Initiated.UTC())
	return true, nil
}
