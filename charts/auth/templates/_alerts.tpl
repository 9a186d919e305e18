{{/* Alerts of auth alone, in few words; see the library's `service.rules`. */}}
{{- define "auth.alerts" -}}
{{- $series := include "service.series" . -}}
- alert: RevocationsUntold
  severity: page
  summary: "<value> sessions are over, and Redis was not told of it: their tokens may still be taken"
  expr: max by (namespace, release) (revocations_untold{ {{- $series }}}) > 0
{{- end }}
