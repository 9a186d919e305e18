{{/* Alerts of auth only, in the short form of the library's `service.rules`. */}}
{{- define "auth.alerts" -}}
{{- $series := include "service.series" . -}}
- alert: OperatorScopesGranted
  severity: page
  summary: "<value> grants of operator scopes within an hour: check that each was intended"
  expr: max by (namespace, release) (operator_scope_grants{ {{- $series }}}) > {{ int64 .Values.monitoring.thresholds.operatorGrants }}
- alert: RefreshKeysUnreadable
  severity: ticket
  summary: "<value> pods can't read the current refresh keys and keep using the previous ones: they will not survive a restart"
  expr: sum by (namespace, release) (refresh_keys_unreadable{ {{- $series }}}) > 0
- alert: RevocationsPending
  severity: page
  summary: "<value> session revocations are not published to Redis: tokens of these sessions may still be accepted"
  expr: max by (namespace, release) (revocations_pending{ {{- $series }}}) > 0
- alert: SigningKeysUnreadable
  severity: ticket
  summary: "<value> pods can't read the current key set and keep using the previous one: they will not survive a restart"
  expr: sum by (namespace, release) (signing_keys_unreadable{ {{- $series }}}) > 0
{{- end }}
