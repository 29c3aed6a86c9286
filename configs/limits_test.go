package configs

import "testing"

// TestR175_NoRecordingOutlastsATimestamp: 33 bits of 90 kHz are 26.5 hours.
func TestR175_NoRecordingOutlastsATimestamp(t *testing.T) {
	t.Parallel()
	for hours, good := range map[string]bool{"12h": true, "26h": true, "26h1s": false, "48h": false} {
		_, err := Load("", nil, []string{"ingest.maxDuration=" + hours})
		if (err == nil) != good {
			t.Errorf("%s: %v", hours, err)
		}
	}
}
