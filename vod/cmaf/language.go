package cmaf

import "strings"

// iso639 maps the three letters of mdhd (ISO 639-2, both forms) to BCP 47,
// where a two-letter code exists; others are themselves.
const iso639 = "ara:ar bul:bg cat:ca ces:cs cze:cs chi:zh cym:cy dan:da deu:de dut:nl ell:el eng:en est:et eus:eu " +
	"fas:fa fin:fi fra:fr fre:fr ger:de gle:ga gre:el heb:he hin:hi hrv:hr hun:hu ind:id isl:is ita:it jpn:ja " +
	"kor:ko lav:lv lit:lt ltz:lb may:ms msa:ms nld:nl nob:nb nno:nn nor:no per:fa pol:pl por:pt ron:ro rum:ro " +
	"rus:ru slk:sk slo:sk slv:sl spa:es srp:sr swa:sw swe:sv tha:th tur:tr ukr:uk vie:vi zho:zh "

// macLanguages are the first Macintosh language codes of QuickTime's mdhd.
var macLanguages = [...]string{
	"en", "fr", "de", "it", "nl", "sv", "es", "da", "pt", "no", "he", "ja", "ar", "fi", "el", "is", "mt", "tr",
	"hr", "zh-Hant", "ur", "hi", "th", "ko", "lt", "pl", "hu", "et", "lv",
}

// languageOf reads the language of mdhd: three letters of five bits, or a
// Macintosh code below 0x400.
func languageOf(code uint16) string {
	if code < 0x400 {
		if int(code) < len(macLanguages) {
			return macLanguages[code]
		}
		return ""
	}
	code &= 0x7fff
	letters := []byte{byte(code>>10) + 0x60, byte(code>>5&31) + 0x60, byte(code&31) + 0x60}
	for _, c := range letters {
		if c < 'a' || c > 'z' {
			return ""
		}
	}
	three := string(letters)
	switch three {
	case "und", "mis", "zxx", "mul":
		return ""
	}
	if i := strings.Index(iso639, three+":"); i >= 0 {
		return iso639[i+4 : i+6]
	}
	return three
}

// languageCode is the inverse: the packed three letters for a BCP 47 tag, "und"
// when there are none.
func languageCode(tag string) uint16 {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	three := "und"
	switch len(primary) {
	case 3:
		three = primary
	case 2:
		// The terminology form (fra, deu) is the standard's; it sorts before or
		// after the other, so choose by name where both exist.
		switch primary {
		case "fr":
			three = "fra"
		case "de":
			three = "deu"
		case "nl":
			three = "nld"
		case "zh":
			three = "zho"
		default:
			if i := strings.Index(iso639, ":"+primary+" "); i >= 3 {
				three = iso639[i-3 : i]
			}
		}
	}
	var code uint16
	for _, c := range []byte(three) {
		if c < 'a' || c > 'z' {
			return languageCode("und")
		}
		code = code<<5 | uint16(c-0x60)
	}
	return code
}
