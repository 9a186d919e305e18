{{/* Alerts of auth alone, in few words; see the library's `service.rules`. */}}
{{- define "auth.alerts" -}}
{{- $series := include "service.series" . -}}
- alert: RevocationsUntold
  severity: page
  summary: "<value> sessions are over, and Redis was not told of it: their tokens may still be taken"
  expr: max by (namespace, release) (revocations_untold{ {{- $series }}}) > 0
- alert: SigningKeysUnreadable
  severity: ticket
  summary: "<value> pods can't read the key set as it is now, and go on with the keys from before: the next restart fails"
  expr: sum by (namespace, release) (signing_keys_unreadable{ {{- $series }}}) > 0
{{- end }}
