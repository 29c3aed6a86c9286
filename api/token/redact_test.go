package token

import "testing"

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                   "",
		"/healthz":                           "/healthz",
		"/p/":                                "/p/",
		"/p/abc":                             "/p/***",
		"/p/a.b.c/live/main/fr/v720.m3u8":    "/p/***/live/main/fr/v720.m3u8",
		"/p/%65yJ.b.c/live":                  "/p/***/live",
		"/p/***/live":                        "/p/***/live",
		"https://x/fr/a/main#k=a.b.c":        "https://x/fr/a/main#k=***",
		"/fr/a/main?k=a.b.c&x=1":             "/fr/a/main?k=***&x=1",
		"Bearer a.b.c":                       "Bearer ***",
		"bearer a.b.c, then":                 "bearer ***, then",
		"/api/v1/x/eyJhbGciOiJIUzI1NiJ9.b.c": "/api/v1/x/***",
		"/p/a /p/b":                          "/p/*** /p/***",
		"/pictures/p.png":                    "/pictures/p.png",
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}
