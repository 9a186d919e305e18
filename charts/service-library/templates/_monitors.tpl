{{/*
Monitors of the Prometheus Operator. Rules and dashboards select series by the labels `namespace`, which the operator
adds, and `release`, `app` and `component`, which are added here.
*/}}
{{- define "service.serviceMonitor" -}}
{{- if .Values.monitoring.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "service.fullname" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
    {{- include "service.monitoringLabels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "service.selectorLabels" . | nindent 6 }}
  endpoints:
    - port: http
      path: /metrics
      {{- include "service.scrape" (list . "service") | nindent 6 }}
{{- end -}}
{{- end }}

{{/* The exporter of each instance of the database. */}}
{{- define "service.databaseMonitor" -}}
{{- if and .Values.monitoring.enabled (eq .Values.database.kind "cnpg") -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "service.cluster" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
    {{- include "service.monitoringLabels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      cnpg.io/cluster: {{ include "service.cluster" . | quote }}
      cnpg.io/podRole: instance
  podMetricsEndpoints:
    - port: metrics
      {{- include "service.scrape" (list . "database") | nindent 6 }}
{{- if .Values.database.pooler.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ printf "%s-pooler" (include "service.cluster" .) | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
    {{- include "service.monitoringLabels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      cnpg.io/poolerName: {{ printf "%s-pooler" (include "service.cluster" .) | quote }}
  podMetricsEndpoints:
    - port: metrics
      {{- include "service.scrape" (list . "pooler") | nindent 6 }}
{{- end }}
{{- end -}}
{{- end }}

{{- define "service.monitoringLabels" -}}
{{- with .Values.monitoring.labels }}
{{- include "service.strings" . }}
{{- end }}
{{- end }}

{{/* Scrape settings of an endpoint. Arguments: the root context and the component. */}}
{{- define "service.scrape" -}}
{{- $root := index . 0 -}}
interval: {{ $root.Values.monitoring.interval | quote }}
scrapeTimeout: {{ $root.Values.monitoring.timeout | quote }}
relabelings:
  - { targetLabel: release, replacement: {{ $root.Release.Name | quote }} }
  - { targetLabel: app, replacement: {{ $root.Chart.Name | quote }} }
  - { targetLabel: component, replacement: {{ index . 1 | quote }} }
{{- end }}
