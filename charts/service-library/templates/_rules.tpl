{{/*
Rules of a service: recording rules for the objectives, and alerts. Alerts are written in a short form
(`service.alerts`, `service.burnAlerts` and `<chart>.alerts`) and completed here:

  severity      `page` (wakes the on-call engineer) or `ticket` (next working day); selects the default of `for`
  when          `false` omits the alert
  <pod>         in a summary, is replaced by that label; <value>, <percent> and <duration> by the value
  runbook       label with the name of the page in docs/runbooks, for links in dashboards; `runbook_url` is its URL
*/}}
{{- define "service.rules" -}}
{{- if and .Values.monitoring.enabled .Values.monitoring.rules.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ include "service.fullname" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
    {{- include "service.monitoringLabels" . | nindent 4 }}
spec:
  groups:
    {{- if .Values.monitoring.objectives }}
    - name: {{ printf "%s-%s-objectives" .Release.Namespace (include "service.fullname" .) | quote }}
      rules:
        {{- include "service.objectives" . | nindent 8 }}
    {{- if .Values.monitoring.burnRates }}
    - name: {{ printf "%s-%s-burn" .Release.Namespace (include "service.fullname" .) | quote }}
      rules:
        {{- include "service.burnAlerts" . | nindent 8 }}
    {{- end }}
    {{- end }}
    - name: {{ printf "%s-%s" .Release.Namespace (include "service.fullname" .) | quote }}
      rules:
        {{- include "service.alertRules" (list . "service.alerts") | nindent 8 }}
        {{- include "service.alertRules" (list . (printf "%s.alerts" .Chart.Name)) | nindent 8 }}
    {{- if eq .Values.database.kind "cnpg" }}
    - name: {{ printf "%s-%s" .Release.Namespace (include "service.cluster" .) | quote }}
      rules:
        {{- include "service.alertRules" (list . "service.databaseAlerts") | nindent 8 }}
    {{- end }}
{{- end -}}
{{- end }}

{{/* Completes alerts in the short form. Arguments: the root context and the name of a template that returns them. */}}
{{- define "service.alertRules" -}}
{{- $root := index . 0 -}}
{{- range $alert := include (index . 1) $root | fromYamlArray }}
{{- if dig "when" true $alert }}
{{ include "service.alert" (list $root $alert) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Completes one alert. Arguments: the root context and the alert. */}}
{{- define "service.alert" -}}
{{- $alert := index . 1 -}}
{{- $rules := (index . 0).Values.monitoring.rules -}}
- alert: {{ $alert.alert | quote }}
  expr: {{ $alert.expr | trim | quote }}
  for: {{ get $alert "for" | default (get $rules.for $alert.severity) | quote }}
  labels:
    {{- merge (dict "severity" $alert.severity "runbook" (kebabcase $alert.alert)) (get $alert "labels" | default dict) $rules.labels | include "service.strings" | nindent 4 }}
  annotations:
    summary: {{ include "service.summary" $alert.summary | quote }}
    runbook_url: {{ printf "%s/%s.md" (trimSuffix "/" $rules.runbooks) (kebabcase $alert.alert) | quote }}
{{- end }}

{{- define "service.summary" -}}
{{- $text := . | replace "<value>" "{{ $value | humanize }}" }}
{{- $text = $text | replace "<percent>" "{{ $value | humanizePercentage }}" }}
{{- $text = $text | replace "<duration>" "{{ $value | humanizeDuration }}" }}
{{- regexReplaceAll "<([a-z_]+)>" $text "{{ $$labels.${1} }}" }}
{{- end }}

{{/* Label matchers of this service's series in this release. */}}
{{- define "service.series" -}}
namespace={{ .Release.Namespace | quote }},release={{ .Release.Name | quote }},app={{ .Chart.Name | quote }}
{{- end }}
