package ingest

import (
	"path/filepath"
	"regexp"
	"strings"
)

// undetermined is the BCP 47 tag of sound of which nobody said the language.
const undetermined = "und"

// threeLetters are the ISO 639-2 codes (both forms) of languages that have a two-letter one and that conferences use.
var threeLetters = map[string]string{
	"fra": "fr", "fre": "fr", "eng": "en", "deu": "de", "ger": "de", "spa": "es", "ita": "it", "por": "pt",
	"nld": "nl", "dut": "nl", "cat": "ca", "oci": "oc", "bre": "br", "eus": "eu", "baq": "eu", "gle": "ga", "cym": "cy", "wel": "cy",
	"dan": "da", "swe": "sv", "nor": "no", "nob": "nb", "nno": "nn", "fin": "fi", "isl": "is", "ice": "is", "est": "et", "lav": "lv", "lit": "lt",
	"pol": "pl", "ces": "cs", "cze": "cs", "slk": "sk", "slo": "sk", "slv": "sl", "hrv": "hr", "srp": "sr", "bul": "bg", "ron": "ro", "rum": "ro", "hun": "hu",
	"ell": "el", "gre": "el", "tur": "tr", "rus": "ru", "ukr": "uk", "ara": "ar", "heb": "he", "fas": "fa", "per": "fa", "hin": "hi",
	"jpn": "ja", "zho": "zh", "chi": "zh", "kor": "ko", "vie": "vi", "tha": "th", "ind": "id",
}

// languageWords are what people write into titles and file names.
var languageWords = map[string]string{
	"français": "fr", "francais": "fr", "french": "fr", "vf": "fr",
	"anglais": "en", "english": "en",
	"deutsch": "de", "allemand": "de", "german": "de", "español": "es", "espagnol": "es", "spanish": "es",
}

var tagShape = regexp.MustCompile(`^[a-z]{2,3}(-[a-z0-9]{2,8})*$`)

// normalLanguage returns the BCP 47 tag for a language code of a file, lower
// case, or "" when it says nothing.
func normalLanguage(code string) string {
	code = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(code)), "_", "-")
	if !tagShape.MatchString(code) {
		return ""
	}
	primary, rest, _ := strings.Cut(code, "-")
	switch primary {
	case "und", "mis", "zxx", "mul":
		return ""
	}
	if len(primary) == 3 && primary >= "qaa" && primary <= "qtz" { // for private use
		return ""
	}
	if short, ok := threeLetters[primary]; ok {
		primary = short
	}
	if rest == "" {
		return primary
	}
	return primary + "-" + rest
}

// languageOf reads a track's language from its tags: the code, else a word in its title or handler name.
func languageOf(tags map[string]string) string {
	if code := normalLanguage(tags["language"]); code != "" {
		return baseLanguage(code)
	}
	for _, name := range []string{"title", "handler_name"} {
		for _, word := range strings.FieldsFunc(strings.ToLower(tags[name]), func(r rune) bool { return strings.ContainsRune(" ()[]-_,.;:/", r) }) {
			if code, ok := languageWords[word]; ok {
				return code
			}
		}
	}
	return ""
}

// baseLanguage drops region and script: a feed has one rendition a language.
func baseLanguage(code string) string {
	primary, _, _ := strings.Cut(code, "-")
	return primary
}

// languageInName finds the language in a name like keynote.fr.mp4 or keynote_EN.vtt; "" when there is none.
func languageInName(name string) string {
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	cut := strings.LastIndexAny(stem, "._- ")
	if cut <= 0 {
		return ""
	}
	last := strings.ToLower(stem[cut+1:])
	if code, ok := languageWords[last]; ok {
		return code
	}
	code := threeLetters[last]
	for _, short := range threeLetters {
		if short == last {
			code = short
		}
	}
	// After a dot any language; elsewhere only those that cannot be mistaken: "la-fin" is not Finnish.
	if stem[cut] == '.' || code == "fr" || code == "en" {
		return code
	}
	return ""
}
