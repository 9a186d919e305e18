{{/*
Rules of a service: objectives as recording rules, and alerts. An alert is written as a few words (`service.alerts`,
`service.burnAlerts`, and a chart's own); what all have in common is added here, once:

  severity      page (somebody gets up) or ticket (in the morning); says how long it must last, unless `for` does
  when          false leaves it out
  <pod>         in a summary is that label of the series, and <value>, <percent> or <duration> its value
  runbook       the name of its page in docs/runbooks, for links of dashboards; `runbook_url` is where that is to be read
*/}}
{{- define "service.rules" -}}
{{- if and .Values.monitoring.enabled .Values.monitoring.rules.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ include "service.fullname" . }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
    {{- include "service.monitoringLabels" . | nindent 4 }}
spec:
  groups:
    {{- if .Values.monitoring.objectives }}
    - name: {{ .Release.Namespace }}-{{ include "service.fullname" . }}-objectives
      rules:
        {{- include "service.objectives" . | nindent 8 }}
    {{- if .Values.monitoring.burnRates }}
    - name: {{ .Release.Namespace }}-{{ include "service.fullname" . }}-burn
      rules:
        {{- include "service.burnAlerts" . | nindent 8 }}
    {{- end }}
    {{- end }}
    - name: {{ .Release.Namespace }}-{{ include "service.fullname" . }}
      rules:
        {{- include "service.alertsOf" (list . "service.alerts") | nindent 8 }}
        {{- include "service.alertsOf" (list . (printf "%s.alerts" .Chart.Name)) | nindent 8 }}
    {{- if eq .Values.database.kind "cnpg" }}
    - name: {{ .Release.Namespace }}-{{ include "service.cluster" . }}
      rules:
        {{- include "service.alertsOf" (list . "service.databaseAlerts") | nindent 8 }}
    {{- end }}
{{- end -}}
{{- end }}

{{/* Takes the root and the name of a template that gives alerts in few words. */}}
{{- define "service.alertsOf" -}}
{{- $root := index . 0 -}}
{{- range $alert := include (index . 1) $root | fromYamlArray }}
{{- if dig "when" true $alert }}
{{ include "service.alert" (list $root $alert) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Takes the root and an alert. */}}
{{- define "service.alert" -}}
{{- $alert := index . 1 -}}
{{- $rules := (index . 0).Values.monitoring.rules -}}
- alert: {{ $alert.alert }}
  expr: {{ $alert.expr | trim | quote }}
  for: {{ get $alert "for" | default (get $rules.for $alert.severity) }}
  labels:
    {{- merge (dict "severity" $alert.severity "runbook" (kebabcase $alert.alert)) (get $alert "labels" | default dict) $rules.labels | toYaml | nindent 4 }}
  annotations:
    summary: {{ include "service.filled" $alert.summary | quote }}
    runbook_url: {{ printf "%s/%s.md" (trimSuffix "/" $rules.runbooks) (kebabcase $alert.alert) }}
{{- end }}

{{- define "service.filled" -}}
{{- $text := . | replace "<value>" "{{ $value | humanize }}" }}
{{- $text = $text | replace "<percent>" "{{ $value | humanizePercentage }}" }}
{{- $text = $text | replace "<duration>" "{{ $value | humanizeDuration }}" }}
{{- regexReplaceAll "<([a-z_]+)>" $text "{{ $$labels.${1} }}" }}
{{- end }}

{{/* What selects the series of this release, and those of this service's own component. */}}
{{- define "service.series" -}}
namespace={{ .Release.Namespace | quote }},release={{ .Release.Name | quote }},app={{ .Chart.Name | quote }}
{{- end }}
