package token

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Key is one signing key. It never changes once stored.
type Key struct {
	ID       string    // the token's "kid": [a-z0-9]{1,32}
	Secret   []byte    // 32 random bytes
	Created  time.Time // UTC
	NotAfter time.Time // retired from this instant: signs and verifies no more; zero: never
}

// KeyStore keeps the keys; storage/db implements it. Safe for concurrent use.
type KeyStore interface {
	// Keys returns all keys, in any order, retired ones too.
	Keys(ctx context.Context) ([]Key, error)
	// AddKey stores a new key, durably. It never replaces a key: when the ID
	// exists already the stored one stays, and AddKey may return an error or
	// nil. (Two processes that make the first key at once rest on this.)
	AddKey(ctx context.Context, k Key) error
}

const (
	// firstKey is the ID of the key made on first use. It is fixed so that two
	// processes that start on an empty store end with one key.
	firstKey = "k1"
	// settle is how long a new key waits before it signs, so that the nodes
	// that learn keys late have asked the store since.
	settle = 5 * time.Second
	// reloadEvery bounds how often unknown key IDs (an attacker sends them at
	// will) make us ask the store.
	reloadEvery = time.Second
	// staleAfter is the age at which minting looks for newer keys.
	staleAfter = time.Minute
	// reloadWait bounds one question to the store.
	reloadWait = 2 * time.Second
	// maxLength bounds a token; ours are about 200 bytes.
	maxLength = 2048
)

// Keyring mints and verifies tokens. Safe for concurrent use.
type Keyring struct {
	store  KeyStore
	now    func() time.Time
	parser *jwt.Parser
	cache  *cache

	keys atomic.Pointer[keyset]

	mu sync.Mutex // one reload at a time; guards no field, only the asking
}

// keyset is an immutable snapshot of the store's keys.
type keyset struct {
	byID   map[string]Key
	newest []Key // newest first
	loaded time.Time
}

// NewKeyring returns a keyring over store; the first key is made if there is none.
// The clock now serves minting and key rotation; Verify is told the instant.
func NewKeyring(ctx context.Context, store KeyStore, now func() time.Time) (*Keyring, error) {
	k := &Keyring{
		store: store,
		now:   now,
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()), // expiry is checked by Verify, on the hit path too
		cache: newCache(),
	}
	if err := k.Refresh(ctx); err != nil {
		return nil, err
	}
	if len(k.keys.Load().newest) > 0 {
		return k, nil
	}
	added := store.AddKey(ctx, newKey(firstKey, now()))
	if err := k.Refresh(ctx); err != nil {
		return nil, errors.Join(err, added)
	}
	if len(k.keys.Load().newest) == 0 {
		return nil, fmt.Errorf("make the first token key: %w", cmp.Or(added, errors.New("the store kept nothing")))
	}
	return k, nil
}

func newKey(id string, now time.Time) Key {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		panic(err) // crypto/rand never fails on the systems we build for
	}
	return Key{ID: id, Secret: secret, Created: now.UTC()}
}

// Refresh reads the keys again. Verify and Mint do so by themselves when they
// meet an unknown key or have not looked for a minute.
func (k *Keyring) Refresh(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refresh(ctx)
}

func (k *Keyring) refresh(ctx context.Context) error {
	keys, err := k.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read token keys: %w", err)
	}
	set := &keyset{byID: make(map[string]Key, len(keys)), loaded: k.now()}
	for _, key := range keys {
		set.byID[key.ID] = key
		set.newest = append(set.newest, key)
	}
	slices.SortFunc(set.newest, func(a, b Key) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
	})
	k.keys.Store(set)
	return nil
}

// reload refreshes unless somebody did so within age; it reports whether the keys are that fresh.
func (k *Keyring) reload(age time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if since := k.now().Sub(k.keys.Load().loaded); since >= 0 && since < age {
		return true
	}
	// Verify and Mint have no context by contract: what they need is in memory
	// but for this rare question, which gets its own bound.
	ctx, cancel := context.WithTimeout(context.Background(), reloadWait)
	defer cancel()
	return k.refresh(ctx) == nil
}

// Rotate adds a new signing key. It signs after five seconds, when every node
// can have learnt of it; the keys before it verify until they are retired.
func (k *Keyring) Rotate(ctx context.Context) error {
	id := strings.ToLower(base32.StdEncoding.EncodeToString([]byte(rand.Text()))[:16])
	if err := k.store.AddKey(ctx, newKey(id, k.now())); err != nil {
		return fmt.Errorf("add token key: %w", err)
	}
	return k.Refresh(ctx)
}

// signing returns the key that signs at now: the newest one that has settled, else the oldest.
func (s *keyset) signing(now time.Time) (Key, bool) {
	var last Key
	found := false
	for _, key := range s.newest {
		if key.retired(now) {
			continue
		}
		last, found = key, true
		if now.Sub(key.Created) >= settle {
			break
		}
	}
	return last, found
}

func (k Key) retired(now time.Time) bool { return !k.NotAfter.IsZero() && !now.Before(k.NotAfter) }

// Mint signs a token of c. Expires is cut to whole seconds.
func (k *Keyring) Mint(c Claims) (string, error) {
	w, err := c.wire()
	if err != nil {
		return "", err
	}
	now := k.now()
	if now.Sub(k.keys.Load().loaded) > staleAfter {
		k.reload(staleAfter) // on failure the keys we know still sign
	}
	key, ok := k.keys.Load().signing(now)
	if !ok {
		return "", errors.New("mint token: every key is retired")
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, payload{wire: w})
	t.Header = map[string]any{"alg": jwt.SigningMethodHS256.Alg(), "kid": key.ID} // no "typ": it is in each URL
	signed, err := t.SignedString(key.Secret)
	if err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	if len(signed) > maxLength {
		return "", fmt.Errorf("mint token: %d bytes, more than %d", len(signed), maxLength)
	}
	return signed, nil
}

// Verify returns the claims of a token that this server signed and whose time
// is not over at now; ErrInvalid or ErrExpired otherwise. A token seen before
// costs no allocation. The claims are shared: do not change them.
func (k *Keyring) Verify(tok string, now time.Time) (*Claims, error) {
	if e := k.cache.get(tok); e != nil {
		if !now.Before(e.until) {
			return nil, ErrExpired
		}
		return e.claims, nil
	}
	c, key, err := k.check(tok)
	if err != nil {
		return nil, err
	}
	until := c.Expires
	if !key.NotAfter.IsZero() && key.NotAfter.Before(until) {
		until = key.NotAfter
	}
	if !now.Before(until) {
		return nil, ErrExpired
	}
	k.cache.put(tok, entry{claims: c, until: until}, now)
	return c, nil
}

// check verifies algorithm and signature, and reads the claims.
func (k *Keyring) check(tok string) (*Claims, Key, error) {
	if len(tok) == 0 || len(tok) > maxLength {
		return nil, Key{}, ErrInvalid
	}
	var key Key
	var p payload
	_, err := k.parser.ParseWithClaims(tok, &p, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		var ok bool
		if key, ok = k.key(id); !ok {
			return nil, ErrInvalid
		}
		return key.Secret, nil
	})
	if err != nil {
		return nil, Key{}, ErrInvalid
	}
	c, err := p.claims()
	if err != nil {
		return nil, Key{}, err
	}
	return c, key, nil
}

// key finds a key, asking the store for one that another node may have made.
func (k *Keyring) key(id string) (Key, bool) {
	if id == "" || len(id) > 32 {
		return Key{}, false
	}
	if key, ok := k.keys.Load().byID[id]; ok {
		return key, true
	}
	k.reload(reloadEvery)
	key, ok := k.keys.Load().byID[id]
	return key, ok
}

// payload makes wire a jwt.Claims. The library's own checks are off: none of
// these methods is asked.
type payload struct{ wire }

func (payload) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (payload) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (payload) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (payload) GetIssuer() (string, error)                   { return "", nil }
func (payload) GetSubject() (string, error)                  { return "", nil }
func (payload) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }
