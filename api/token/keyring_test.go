package token

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// memory is a KeyStore in memory.
type memory struct {
	mu    sync.Mutex
	keys  []Key
	asked int
	fail  error
}

func (m *memory) Keys(context.Context) ([]Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return append([]Key(nil), m.keys...), m.fail
}

func (m *memory) AddKey(_ context.Context, k Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, have := range m.keys {
		if have.ID == k.ID {
			return errors.New("exists")
		}
	}
	m.keys = append(m.keys, k)
	return nil
}

func (m *memory) retire(id string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.keys {
		if m.keys[i].ID == id {
			m.keys[i].NotAfter = at
		}
	}
}

// clock is a set clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func setup(t testing.TB) (*Keyring, *memory, *clock) {
	t.Helper()
	store, c := &memory{}, &clock{t: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	k, err := NewKeyring(t.Context(), store, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return k, store, c
}

func sample(c *clock) Claims {
	return Claims{Event: "conf", Subject: "r-17", Scopes: []string{"aud:main"}, Lease: "q7", Kind: Playback, Expires: c.now().Add(time.Hour)}
}

func mint(t testing.TB, k *Keyring, c Claims) string {
	t.Helper()
	tok, err := k.Mint(c)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	k, _, c := setup(t)
	for _, want := range []Claims{
		sample(c),
		{Event: "conf", Kind: Link, Staff: true, Expires: c.now().Add(time.Second)},
		{Event: "é", Subject: `a"b`, Scopes: []string{"event", "talk:t1"}, Kind: Playback, Expires: c.now().Add(2400 * time.Hour)},
	} {
		tok := mint(t, k, want)
		for range 2 { // the second time from the cache
			got, err := k.Verify(tok, c.now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, *got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		}
		if strings.Trim(tok, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			t.Errorf("token %q needs escaping in a path", tok)
		}
	}
	if tok := mint(t, k, sample(c)); len(tok) > 220 {
		t.Errorf("token of %d bytes, want short ones", len(tok))
	}
}

func TestExpiryIsCheckedOnTheHitPath(t *testing.T) {
	t.Parallel()
	k, _, c := setup(t)
	tok := mint(t, k, sample(c))
	end := c.now().Add(time.Hour)
	if _, err := k.Verify(tok, end.Add(-time.Nanosecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Verify(tok, end); !errors.Is(err, ErrExpired) {
		t.Fatalf("at the end: %v, want ErrExpired", err)
	}
	fresh, _, _ := setup(t)
	fresh.keys.Store(k.keys.Load())
	if _, err := fresh.Verify(tok, end); !errors.Is(err, ErrExpired) {
		t.Fatalf("at the end, not cached: %v, want ErrExpired", err)
	}
}

func TestForgeriesAreInvalid(t *testing.T) {
	t.Parallel()
	k, store, c := setup(t)
	good := mint(t, k, sample(c))
	part := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	other, _, _ := setup(t)
	sign := func(m jwt.SigningMethod, key any, header map[string]any, claims jwt.Claims) string {
		tok := jwt.NewWithClaims(m, claims)
		for h, v := range header {
			tok.Header[h] = v
		}
		s, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	kid := map[string]any{"kid": firstKey}
	body := jwt.MapClaims{"e": "conf", "k": "p", "exp": c.now().Add(time.Hour).Unix()}
	secret := store.keys[0].Secret
	for name, tok := range map[string]string{
		"empty":           "",
		"words":           "not a token",
		"dots":            "..",
		"another server":  mint(t, other, sample(c)),
		"alg none":        sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, body),
		"alg HS384":       sign(jwt.SigningMethodHS384, secret, kid, body),
		"alg HS512":       sign(jwt.SigningMethodHS512, secret, kid, body),
		"no kid":          sign(jwt.SigningMethodHS256, secret, nil, body),
		"kid of a number": sign(jwt.SigningMethodHS256, secret, map[string]any{"kid": 1}, body),
		"unknown kid":     sign(jwt.SigningMethodHS256, secret, map[string]any{"kid": "zz"}, body),
		"no expiry":       sign(jwt.SigningMethodHS256, secret, kid, jwt.MapClaims{"e": "conf", "k": "p"}),
		"no event":        sign(jwt.SigningMethodHS256, secret, kid, jwt.MapClaims{"k": "p", "exp": 1 << 40}),
		"unknown kind":    sign(jwt.SigningMethodHS256, secret, kid, jwt.MapClaims{"e": "conf", "k": "x", "exp": 1 << 40}),
		"expiry of text":  sign(jwt.SigningMethodHS256, secret, kid, jwt.MapClaims{"e": "conf", "k": "p", "exp": "9999999999"}),
		"changed body":    part[0] + "." + b64([]byte(`{"e":"conf","st":true,"k":"p","exp":9999999999}`)) + "." + part[2],
		"no signature":    part[0] + "." + part[1] + ".",
		"padded":          good + "=",
		"trailing":        good + ".",
		"space":           good + " ",
		"upper case":      strings.ToUpper(good),
		"long":            good + strings.Repeat("A", maxLength),
	} {
		if _, err := k.Verify(tok, c.now()); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := k.Verify(sign(jwt.SigningMethodHS256, secret, kid, body), c.now()); err != nil {
		t.Errorf("the control is refused: %v", err)
	}
	if n := k.cache.size(); n != 1 {
		t.Errorf("%d tokens cached, want the control only", n)
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	k, _, c := setup(t)
	for name, change := range map[string]func(*Claims){
		"no kind":   func(c *Claims) { c.Kind = "" },
		"no event":  func(c *Claims) { c.Event = "" },
		"no expiry": func(c *Claims) { c.Expires = time.Time{} },
		"too long":  func(c *Claims) { c.Subject = strings.Repeat("x", maxLength) },
	} {
		claims := sample(c)
		change(&claims)
		if tok, err := k.Mint(claims); err == nil {
			t.Errorf("%s: minted %s", name, tok)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	k, store, c := setup(t)
	peer, err := NewKeyring(t.Context(), store, c.now) // another node
	if err != nil {
		t.Fatal(err)
	}
	kid := func(tok string) string {
		p, _, err := jwt.NewParser().ParseUnverified(tok, &payload{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Header["kid"].(string)
	}
	old := mint(t, k, sample(c))
	c.add(10 * time.Second)
	if err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := kid(mint(t, k, sample(c))); got != firstKey {
		t.Errorf("key %s signs at once, want %s until the new one has settled", got, firstKey)
	}
	c.add(settle)
	fresh := mint(t, k, sample(c))
	if kid(fresh) == firstKey {
		t.Error("the old key signs after the new one has settled")
	}
	for name, tok := range map[string]string{"old": old, "new": fresh} {
		for who, ring := range map[string]*Keyring{"same node": k, "other node": peer} {
			if _, err := ring.Verify(tok, c.now()); err != nil {
				t.Errorf("%s token on the %s: %v", name, who, err)
			}
		}
	}
	c.add(2 * staleAfter)
	if got := kid(mint(t, peer, sample(c))); got == firstKey {
		t.Error("the other node signs with the old key two minutes later")
	}
	store.retire(firstKey, c.now().Add(time.Second))
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.cache = newCache()
	if _, err := k.Verify(old, c.now()); err != nil {
		t.Errorf("a second before its key retires: %v", err)
	}
	if _, err := k.Verify(old, c.now().Add(time.Second)); !errors.Is(err, ErrExpired) {
		t.Errorf("cached, its key retired: %v, want ErrExpired", err)
	}
}

func TestFirstKeyIsOneForTwoProcesses(t *testing.T) {
	t.Parallel()
	for range 20 {
		store, c := &memory{}, &clock{t: time.Unix(1.8e9, 0)}
		rings, wait := make([]*Keyring, 8), sync.WaitGroup{}
		for i := range rings {
			wait.Go(func() { rings[i], _ = NewKeyring(context.Background(), store, c.now) })
		}
		wait.Wait()
		if len(store.keys) != 1 {
			t.Fatalf("%d keys, want 1", len(store.keys))
		}
		for _, a := range rings {
			tok := mint(t, a, sample(c))
			for _, b := range rings {
				if _, err := b.Verify(tok, c.now()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestStoreFailure(t *testing.T) {
	t.Parallel()
	sick := errors.New("disk full")
	if _, err := NewKeyring(t.Context(), &memory{fail: sick}, time.Now); !errors.Is(err, sick) {
		t.Errorf("NewKeyring: %v", err)
	}
	k, store, c := setup(t)
	store.fail = sick
	c.add(time.Hour)
	tok := mint(t, k, sample(c)) // goes on with the keys it knows
	if _, err := k.Verify(tok, c.now()); err != nil {
		t.Error(err)
	}
}

func TestUnknownKeysAskTheStoreOnceASecond(t *testing.T) {
	t.Parallel()
	k, store, c := setup(t)
	other, _, _ := setup(t)
	if err := other.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	junk := make([]string, 50)
	for i := range junk {
		tok := jwt.NewWithClaims(jwt.SigningMethodHS256, payload{})
		tok.Header["kid"] = fmt.Sprint("k", i+100)
		junk[i], _ = tok.SignedString([]byte("x"))
	}
	before := store.asked
	for second := range 3 {
		for _, tok := range junk {
			if _, err := k.Verify(tok, c.now()); !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
		}
		if got := store.asked - before; got > second+1 {
			t.Fatalf("asked %d times in second %d", got, second)
		}
		c.add(time.Second)
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache()
	now := time.Unix(1.8e9, 0)
	for i := range 3 * shardCount * shardSize {
		c.put(fmt.Sprint("token", i), entry{claims: &Claims{}, until: now.Add(time.Hour)}, now)
	}
	if n := c.size(); n > shardCount*shardSize {
		t.Errorf("%d tokens cached, want at most %d", n, shardCount*shardSize)
	}
}

func TestHitPathDoesNotAllocate(t *testing.T) { // not parallel: AllocsPerRun counts for the whole process
	k, _, c := setup(t)
	tok := mint(t, k, sample(c))
	now := c.now()
	if _, err := k.Verify(tok, now); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		claims, err := k.Verify(tok, now)
		if err != nil || !claims.MayAuditorium("main") || !claims.MayTalk("main", "t1") || claims.MayTalk("side", "t2") {
			t.Fatal("wrong answer")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scopes             string
		staff              bool
		main, side, t1, t2 bool // t1 is in main, t2 in side
	}{
		{"", false, false, false, false, false},
		{"", true, true, true, true, true},
		{"event", false, true, true, true, true},
		{"aud:main", false, true, false, true, false},
		{"talk:t1", false, false, false, true, false},
		{"talk:t1 aud:side", false, false, true, true, true},
		{"aud: talk: aud talk main t1 aud:mai aud:main2 talk:t", false, false, false, false, false},
	} {
		c := &Claims{Scopes: strings.Fields(tt.scopes), Staff: tt.staff}
		got := []bool{c.MayAuditorium("main"), c.MayAuditorium("side"), c.MayTalk("main", "t1"), c.MayTalk("side", "t2")}
		if diff := cmp.Diff([]bool{tt.main, tt.side, tt.t1, tt.t2}, got); diff != "" {
			t.Errorf("%q staff %v (-want +got):\n%s", tt.scopes, tt.staff, diff)
		}
		if !tt.staff && tt.scopes != "event" && (c.MayAuditorium("") || c.MayTalk("", "")) {
			t.Errorf("%q opens what has no name", tt.scopes)
		}
	}
}

// TestNobodyPreviewsByChance: what opens before its hour is opened by its own
// scope or by staff, never by what attendees hold.
func TestNobodyPreviewsByChance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		scopes       string
		staff        bool
		media, asset bool
	}{
		{"", true, true, true},
		{"event aud:main talk:m1 talk:a1 aud:m1", false, false, false},
		{MediaScope("m1"), false, true, false},
		{AssetScope("a1"), false, false, true},
		{"media: asset: media:m asset:a1x media:m11 media:a1 asset:m1", false, false, false},
	} {
		c := &Claims{Scopes: strings.Fields(tt.scopes), Staff: tt.staff}
		if c.MayMedia("m1") != tt.media || c.MayAsset("a1") != tt.asset {
			t.Errorf("%q staff %v: media %v, asset %v", tt.scopes, tt.staff, c.MayMedia("m1"), c.MayAsset("a1"))
		}
		if !tt.staff && (c.MayMedia("") || c.MayAsset("")) {
			t.Errorf("%q opens what has no name", tt.scopes)
		}
		if !tt.staff && tt.scopes[0] != 'e' && (c.MayAuditorium("m1") || c.MayTalk("m1", "a1")) {
			t.Errorf("%q opens an auditorium or a talk", tt.scopes)
		}
	}
}

// TestProperties: whatever is minted verifies to the same claims until its
// second, and no changed byte of it ever does.
func TestProperties(t *testing.T) {
	t.Parallel()
	k, _, c := setup(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, 200)
		want := Claims{
			Event: rapid.StringMatching(`[a-z0-9-]{1,64}`).Draw(t, "event"), Subject: text.Draw(t, "subject"),
			Scopes: rapid.SliceOfN(rapid.StringMatching(`(aud|talk):[a-z0-9-]{1,64}`), 1, 3).Draw(t, "scopes"),
			Staff:  rapid.Bool().Draw(t, "staff"), Kind: rapid.SampledFrom([]string{Playback, Link}).Draw(t, "kind"),
			Expires: c.now().Add(time.Duration(rapid.IntRange(1, 1e7).Draw(t, "life")) * time.Second),
		}
		tok, err := k.Mint(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Verify(tok, want.Expires.Add(-1))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Fatal(diff)
		}
		at := rapid.IntRange(0, len(tok)-1).Draw(t, "at")
		bad := []byte(tok)
		bad[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
		if _, err := k.Verify(string(bad), c.now()); err == nil {
			t.Fatalf("changed byte %d of %s and it verifies", at, tok)
		}
		for _, secret := range strings.Split(tok, ".")[1:] {
			for _, form := range []string{"GET /p/%s/live/main/fr/v720.m3u8 done", "https://x/fr/a/main#k=%s", "Authorization: Bearer %s", "see %s.", `{"t":"%s"}`, "%%2Fp%%2F%s%%2Flive"} {
				if line := Redact(fmt.Sprintf(form, tok)); strings.Contains(line, secret) {
					t.Fatalf("%q holds a part of the token", line)
				}
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	store, c := &memory{}, &clock{t: time.Unix(1.8e9, 0)}
	k, err := NewKeyring(context.Background(), store, c.now)
	if err != nil {
		f.Fatal(err)
	}
	good := mint(f, k, sample(c))
	part := strings.Split(good, ".")
	for _, s := range []string{"", good, "..", "eyJhbGciOiJub25lIn0.e30.", part[0] + "..", part[0] + "." + part[1] + ".", strings.Repeat(".", 50)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tok string) {
		claims, err := k.Verify(tok, c.now())
		switch {
		case tok == good && err != nil:
			t.Fatalf("the good token is refused: %v", err)
		case tok != good && err == nil:
			t.Fatalf("%q verifies to %+v", tok, claims)
		case err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrExpired):
			t.Fatalf("%q: strange error %v", tok, err)
		}
	})
}

func BenchmarkVerifyHit(b *testing.B) {
	k, _, c := setup(b)
	tok, now := mint(b, k, sample(c)), c.now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := k.Verify(tok, now); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerifyMiss(b *testing.B) {
	k, _, c := setup(b)
	tok := mint(b, k, sample(c))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := k.check(tok); err != nil {
			b.Fatal(err)
		}
	}
}
