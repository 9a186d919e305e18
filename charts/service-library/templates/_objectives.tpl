{{/*
Multiwindow, multi-burn-rate alerts on service level objectives, after chapter 5 of Google's SRE Workbook. A burn rate
of 1 spends the error budget of 30 days in 30 days. An alert needs a high burn rate over two windows: the long window
shows that a significant part of the budget is spent, the short one that the problem continues, so that the alert
resolves soon after its cause.
*/}}

{{/* For each objective and window: requests per second, the fraction of 5xx responses, the fraction of slow responses. */}}
{{- define "service.objectives" -}}
{{- $root := . -}}
{{- /* Dashboards always use these two windows. */}}
{{- $windows := list "5m" "1h" -}}
{{- range .Values.monitoring.burnRates }}
{{- $windows = concat $windows (list .long .short) }}
{{- end }}
{{- range $objective := .Values.monitoring.objectives }}
{{- range $window := uniq $windows }}
{{- $series := include "service.objectiveSeries" (list $root $objective) }}
{{- $by := "sum by (namespace, release, app)" }}
{{- $all := printf "%s (rate(http_request_duration_seconds_count{%s}[%s]))" $by $series $window }}
{{- $bad := printf "%s (rate(http_request_duration_seconds_count{%s,status_code=~\"5..\"}[%s]))" $by $series $window }}
{{- /* Prometheus 3 normalizes the label le="1" to "1.0"; earlier versions keep it. */}}
{{- $within := printf "%s(\\\\.0)?" (toString $objective.seconds | replace "." "\\\\.") }}
{{- $inTime := printf "%s (rate(http_request_duration_seconds_bucket{%s,le=~\"%s\",status_code!~\"5..\"}[%s]))" $by $series $within $window }}
- record: objective:requests:rate{{ $window }}
  expr: {{ $all | quote }}
  labels: { objective: {{ $objective.name | quote }} }
- record: objective:unavailable:ratio_rate{{ $window }}
  expr: {{ printf "(%s or 0 * %s) / (%s > 0) or 0 * %s" $bad $all $all $all | quote }}
  labels: { objective: {{ $objective.name | quote }} }
- record: objective:slow:ratio_rate{{ $window }}
  expr: {{ printf "1 - (%s or 0 * %s) / (%s > 0) or 0 * %s" $inTime $all $all $all | quote }}
  labels: { objective: {{ $objective.name | quote }} }
{{- end }}
{{- end }}
{{- end }}

{{/* Label matchers of an objective's requests. Arguments: the root context and an objective. */}}
{{- define "service.objectiveSeries" -}}
{{- $objective := index . 1 -}}
{{ include "service.series" (index . 0) }},method={{ $objective.method | quote }},route=~{{ join "|" $objective.routes | quote }}
{{- end }}

{{- define "service.burnAlerts" -}}
{{- $root := . -}}
{{- range $objective := .Values.monitoring.objectives }}
{{- $of := printf "{%s,objective=%q}" (include "service.series" $root) $objective.name }}
{{- range $burn := $root.Values.monitoring.burnRates }}
{{- range $kind, $percent := dict "unavailable" $objective.availablePercent "slow" $objective.inTimePercent }}
{{- $threshold := printf "%v * %v" $burn.rate (round (subf 1 (divf $percent 100)) 6) }}
{{- $isSlow := eq $kind "slow" }}
{{- $failure := ternary (printf "took longer than %v s" $objective.seconds) "failed" $isSlow }}
{{- $rate := printf "objective:%s:ratio_rate" $kind }}
{{- $alert := dict
  "alert" (ternary "LatencyBudgetBurn" "ErrorBudgetBurn" $isSlow)
  "expr" (printf "%s%s%s > %s and %s%s%s > %s" $rate $burn.long $of $threshold $rate $burn.short $of $threshold)
  "for" $burn.for
  "severity" $burn.severity
  "labels" (dict "objective" $objective.name "window" $burn.long)
  "summary" (printf "%s: <percent> of requests %s over %s" $objective.name $failure $burn.long)
}}
{{ include "service.alert" (list $root $alert) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
