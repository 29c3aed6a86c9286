package storage_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"reprise/storage"
	"reprise/storage/storagetest"
)

// BenchmarkThroughput moves 256 MiB between a file and a store; cp is what they are measured by.
func BenchmarkThroughput(b *testing.B) {
	const size = 256 << 20
	dir := b.TempDir()
	source := filepath.Join(dir, "source")
	if err := os.WriteFile(source, pattern(size, 1), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Run("cp", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			// --reflink=never: a file system that shares blocks copies nothing. sync: a Put is durable too.
			if out, err := exec.Command("sh", "-c", `cp --reflink=never "$1" "$2" && sync "$2"`, "sh", source, filepath.Join(dir, "copy")).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}
	})
	disk, err := storage.NewDisk(filepath.Join(dir, "objects"))
	if err != nil {
		b.Fatal(err)
	}
	defer disk.Close()
	g := storagetest.StartGateway(b)
	bucket, err := storage.NewS3(context.Background(), g.Config("bucket"), quiet())
	if err != nil {
		b.Fatal(err)
	}
	defer bucket.Close()
	for _, s := range []struct {
		name string
		storage.Store
	}{{"disk", disk}, {"s3", bucket}} {
		b.Run(s.name+"/put", func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				f, err := os.Open(source)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Put(b.Context(), "big", f); err != nil {
					b.Fatal(err)
				}
				f.Close()
			}
		})
		b.Run(s.name+"/get", func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				o, err := s.Open(b.Context(), "big")
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, struct{ io.Reader }{o}); n != size || err != nil {
					b.Fatal(n, err)
				}
				o.Close()
			}
		})
		b.Run(s.name+"/segment", func(b *testing.B) { // 1 MiB at some place of an open object, as the cache reads
			const segment = 1 << 20
			o, err := s.Open(b.Context(), "big")
			if err != nil {
				b.Fatal(err)
			}
			defer o.Close()
			buffer := make([]byte, segment)
			b.SetBytes(segment)
			at := int64(0)
			for b.Loop() {
				at = (at + 97*segment) % (size - segment)
				if n, err := o.ReadAt(buffer, at); n != segment || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
