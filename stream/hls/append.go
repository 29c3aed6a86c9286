package hls

import (
	"strconv"
	"time"
)

// list appends an attribute list (bis 4.2).
type list struct {
	dst  []byte
	more bool // a comma is due
}

func (l *list) name(name string) {
	if l.more {
		l.dst = append(l.dst, ',')
	}
	l.more = true
	l.dst = append(l.dst, name...)
	l.dst = append(l.dst, '=')
}

func (l *list) raw(name, value string) {
	l.name(name)
	l.dst = append(l.dst, value...)
}

func (l *list) quoted(name, value string) {
	l.name(name)
	l.dst = append(l.dst, '"')
	l.dst = appendText(l.dst, value)
	l.dst = append(l.dst, '"')
}

func (l *list) optional(name, value string) {
	if value != "" {
		l.quoted(name, value)
	}
}

func (l *list) yesNo(name string, value bool) {
	if value {
		l.raw(name, "YES")
	} else {
		l.raw(name, "NO")
	}
}

func (l *list) number(name string, value int64) {
	l.name(name)
	l.dst = strconv.AppendInt(l.dst, value, 10)
}

func (l *list) resolution(width, height int) {
	if width <= 0 || height <= 0 {
		return
	}
	l.name("RESOLUTION")
	l.dst = strconv.AppendInt(l.dst, int64(width), 10)
	l.dst = append(l.dst, 'x')
	l.dst = strconv.AppendInt(l.dst, int64(height), 10)
}

// seconds prints as few decimals as needed and one at least: 16.0, 24.5.
func (l *list) seconds(name string, value time.Duration) {
	value = value.Round(time.Millisecond)
	if value == 0 {
		return
	}
	l.name(name)
	decimals := 3
	for _, step := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond} {
		if value%step == 0 {
			decimals--
		}
	}
	l.dst = appendSeconds(l.dst, value, decimals)
}

func (l *list) millis(name string, value time.Duration) {
	if value.Round(time.Millisecond) != 0 {
		l.name(name)
		l.dst = appendSeconds(l.dst, value, 3)
	}
}

func (l *list) date(name string, value time.Time) {
	if value.IsZero() {
		return
	}
	l.name(name)
	l.dst = append(l.dst, '"')
	l.dst = AppendDate(l.dst, value)
	l.dst = append(l.dst, '"')
}

func (l *list) other(attributes []Attribute) {
	for i := range attributes {
		if a := &attributes[i]; a.Quoted {
			l.quoted(a.Name, a.Value)
		} else {
			l.raw(a.Name, a.Value)
		}
	}
}

// appendText appends the inside of a quoted string. What may not stand in one
// (bis 4.2) is replaced: a double quote by two single ones, a control character by a space.
func appendText(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '"' || c < 0x20 || c == 0x7f {
			return appendCleaned(dst, s)
		}
	}
	return append(dst, s...)
}

func appendCleaned(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			dst = append(dst, "''"...)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendSeconds appends d in seconds with that many decimals (1 to 9), rounded half away from zero.
func appendSeconds(dst []byte, d time.Duration, decimals int) []byte {
	unit := time.Second
	for range decimals {
		unit /= 10
	}
	n := d.Round(unit) / unit
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	perSecond := time.Second / unit
	dst = strconv.AppendInt(dst, int64(n/perSecond), 10)
	dst = append(dst, '.')
	return appendDigits(dst, uint64(n%perSecond), decimals)
}

// appendDigits appends n with exactly that many digits.
func appendDigits(dst []byte, n uint64, digits int) []byte {
	dst = append(dst, "000000000"[:digits]...)
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = '0' + byte(n%10)
		n /= 10
	}
	return dst
}

// AppendDate appends t in UTC with milliseconds, rounded to the nearest:
// 2026-11-23T13:59:52.320Z.
func AppendDate(dst []byte, t time.Time) []byte {
	var c calendar
	return c.append(dst, t)
}

// calendar appends dates and remembers the day, since finding year, month and
// day costs more than all the rest of a segment's lines.
type calendar struct {
	day    int64 // days since 1970 of the text below
	text   [11]byte
	filled bool
}

const dayMillis = 24 * 60 * 60 * 1000

func (c *calendar) append(dst []byte, t time.Time) []byte {
	millis := t.Unix()*1000 + int64(t.Nanosecond()+500_000)/1_000_000
	day := millis / dayMillis
	if millis%dayMillis < 0 {
		day--
	}
	if !c.filled || day != c.day {
		c.fill(day)
	}
	n := uint32(millis - day*dayMillis)
	seconds := n / 1000
	hour, minute, second, milli := seconds/3600, seconds/60%60, seconds%60, n%1000
	dst = append(dst, c.text[:]...)
	return append(dst,
		'0'+byte(hour/10), '0'+byte(hour%10), ':',
		'0'+byte(minute/10), '0'+byte(minute%10), ':',
		'0'+byte(second/10), '0'+byte(second%10), '.',
		'0'+byte(milli/100), '0'+byte(milli/10%10), '0'+byte(milli%10), 'Z')
}

func (c *calendar) fill(day int64) {
	c.day, c.filled = day, true
	year, month, date := time.Unix(day*86400, 0).UTC().Date()
	text := appendDigits(c.text[:0], uint64(year), 4)
	text = append(text, '-')
	text = appendDigits(text, uint64(month), 2)
	text = append(text, '-')
	text = appendDigits(text, uint64(date), 2)
	_ = append(text, 'T')
}
