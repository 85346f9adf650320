package discovery

import (
	"fmt"
	"maps"
	"slices"
)

// SanitizeMeta returns meta without the entries that break the limits of an
// [Instance], and how many those are. Of what is left beyond [MaxMeta] the
// entries with the smallest keys stay, so that every reader of a record keeps
// the same. Registries that others write to use it for what they read: hostile
// metadata costs the metadata, not the instance. Meta is not written to, and
// returned as it is if nothing is wrong with it.
func SanitizeMeta(meta map[string]string) (clean map[string]string, dropped int) {
	if validateMeta(meta) == nil {
		return meta, 0
	}
	clean = map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		if v := meta[k]; len(clean) < MaxMeta && validMetaKey(k) && validText(v) {
			clean[k] = v
		}
	}
	return clean, len(meta) - len(clean)
}

func validateMeta(meta map[string]string) error {
	if len(meta) > MaxMeta {
		return &FieldError{Field: "len(Instance.Meta)", Value: len(meta), Allowed: fmt.Sprintf("at most %d", MaxMeta)}
	}
	for k, v := range meta {
		if !validMetaKey(k) {
			return &FieldError{Field: "Instance.Meta key", Value: k, Allowed: "not empty, " + textRule}
		}
		if !validText(v) {
			return &FieldError{Field: fmt.Sprintf("Instance.Meta[%q]", clip(k)), Value: v, Allowed: textRule}
		}
	}
	return nil
}

func validMetaKey(k string) bool { return k != "" && validText(k) }
