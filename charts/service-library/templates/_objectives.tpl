{{/*
Objectives, after Google's SRE workbook, chapter 5. An objective is a part of the requests; the rest is its budget.
A burn rate of 1 spends the budget of 30 days in 30 days. An alert looks at two windows: over the long one enough was
spent to matter, and over the short one it still goes on, so that it ends soon after what caused it.
*/}}

{{/* For each objective and window: requests a second, the part not answered (5xx), the part not answered in time. */}}
{{- define "service.objectives" -}}
{{- $root := . -}}
{{- /* Dashboards show these two, whatever the burn rates look at. */}}
{{- $windows := list "5m" "1h" -}}
{{- range .Values.monitoring.burnRates }}
{{- $windows = concat $windows (list .long .short) }}
{{- end }}
{{- range $objective := .Values.monitoring.objectives }}
{{- range $window := uniq $windows }}
{{- $series := include "service.requests" (list $root $objective) }}
{{- $by := "sum by (namespace, release, app)" }}
{{- $all := printf "%s (rate(http_request_duration_seconds_count{%s}[%s]))" $by $series $window }}
{{- $bad := printf "%s (rate(http_request_duration_seconds_count{%s,status_code=~\"5..\"}[%s]))" $by $series $window }}
{{- /* Prometheus 3 writes the bound 1 as 1.0, and earlier ones as it comes. */}}
{{- $within := printf "%s(\\\\.0)?" (toString $objective.seconds | replace "." "\\\\.") }}
{{- $inTime := printf "%s (rate(http_request_duration_seconds_bucket{%s,le=~\"%s\",status_code!~\"5..\"}[%s]))" $by $series $within $window }}
- record: objective:requests:rate{{ $window }}
  expr: {{ $all | quote }}
  labels: { objective: {{ $objective.name }} }
- record: objective:unavailable:ratio_rate{{ $window }}
  expr: {{ printf "(%s or 0 * %s) / (%s > 0) or 0 * %s" $bad $all $all $all | quote }}
  labels: { objective: {{ $objective.name }} }
- record: objective:slow:ratio_rate{{ $window }}
  expr: {{ printf "1 - (%s or 0 * %s) / (%s > 0) or 0 * %s" $inTime $all $all $all | quote }}
  labels: { objective: {{ $objective.name }} }
{{- end }}
{{- end }}
{{- end }}

{{/* Takes the root and an objective. */}}
{{- define "service.requests" -}}
{{- $objective := index . 1 -}}
{{ include "service.series" (index . 0) }},method={{ $objective.method | quote }},route=~{{ join "|" $objective.routes | quote }}
{{- end }}

{{- define "service.burnAlerts" -}}
{{- $root := . -}}
{{- range $objective := .Values.monitoring.objectives }}
{{- $of := printf "{%s,objective=%q}" (include "service.series" $root) $objective.name }}
{{- range $burn := $root.Values.monitoring.burnRates }}
{{- range $kind, $percent := dict "unavailable" $objective.availablePercent "slow" $objective.inTimePercent }}
{{- $most := printf "%v * %v" $burn.rate (round (subf 1 (divf $percent 100)) 6) }}
{{- $isSlow := eq $kind "slow" }}
{{- $what := ternary (printf "take longer than %v s" $objective.seconds) "are not answered" $isSlow }}
{{- $rate := printf "objective:%s:ratio_rate" $kind }}
{{- $alert := dict
  "alert" (ternary "LatencyBudgetBurn" "ErrorBudgetBurn" $isSlow)
  "expr" (printf "%s%s%s > %s and %s%s%s > %s" $rate $burn.long $of $most $rate $burn.short $of $most)
  "for" $burn.for
  "severity" $burn.severity
  "labels" (dict "objective" $objective.name "window" $burn.long)
  "summary" (printf "%s: requests %s, <percent> of them over %s" $objective.name $what $burn.long)
}}
{{ include "service.alert" (list $root $alert) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
