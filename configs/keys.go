package configs

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// key is one thing that can be set.
type key struct {
	path   string // http.listen
	secret bool
	index  []int // of the field in Config, for reflect
}

// keys returns every key in the order of the struct.
func keys() []key {
	var list []key
	var walk func(t reflect.Type, path string, index []int)
	walk = func(t reflect.Type, path string, index []int) {
		for i := range t.NumField() {
			f := t.Field(i)
			p := f.Tag.Get("koanf")
			if path != "" {
				p = path + "." + p
			}
			at := append(append([]int(nil), index...), i)
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type, p, at)
				continue
			}
			list = append(list, key{path: p, secret: f.Tag.Get("secret") == "true", index: at})
		}
	}
	walk(reflect.TypeFor[Config](), "", nil)
	return list
}

// environment returns the variable of a key without its prefix, all
// underscores left out, so that REPRISE_HTTP_PUBLIC_URL and
// REPRISE_HTTP_PUBLICURL are the same.
func environment(path string) string {
	return strings.ToUpper(strings.ReplaceAll(path, ".", ""))
}

// variable returns the way a key is written in the environment: HTTP_PUBLIC_URL.
func variable(path string) string {
	var b strings.Builder
	for i, r := range path {
		switch {
		case r == '.':
			b.WriteByte('_')
		case r >= 'A' && r <= 'Z' && i > 0:
			b.WriteByte('_')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.ToUpper(b.String())
}

// assign puts value, as it came from YAML, the environment or a flag, into a field.
func assign(field reflect.Value, value any) error {
	switch field.Interface().(type) {
	case time.Duration:
		return assignDuration(field, value)
	case Size:
		size, err := ParseSize(fmt.Sprint(value))
		if err != nil {
			return err
		}
		field.SetInt(int64(size))
		return nil
	}
	switch field.Kind() {
	case reflect.String:
		switch v := value.(type) {
		case string:
			field.SetString(v)
		case int, bool, float64:
			field.SetString(fmt.Sprint(v))
		default:
			return fmt.Errorf("a text is needed, not %s", describe(value))
		}
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.TrimSpace(fmt.Sprint(value)))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", fmt.Sprint(value))
		}
		field.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(strings.TrimSpace(fmt.Sprint(value)))
		if err != nil {
			return fmt.Errorf("%q is not a whole number", fmt.Sprint(value))
		}
		field.SetInt(int64(n))
	default:
		panic("configs: no rule for fields of type " + field.Type().String())
	}
	return nil
}

func assignDuration(field reflect.Value, value any) error {
	text := strings.TrimSpace(fmt.Sprint(value))
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration: write a number and a unit, such as 90s, 15m or 2h30m", text)
	}
	field.SetInt(int64(d))
	return nil
}

// describe names the kind of a YAML value for people.
func describe(value any) string {
	switch value.(type) {
	case map[string]any, map[any]any:
		return "a section"
	case []any:
		return "a list"
	case nil:
		return "nothing"
	}
	return strconv.Quote(fmt.Sprint(value))
}
