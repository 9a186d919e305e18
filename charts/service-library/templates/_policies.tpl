{{/*
NetworkPolicies. A policy that selects a pod denies all traffic that it does not allow, in both directions.
*/}}
{{- define "service.networkPolicy" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if $policy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "service.fullname" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "service.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: http
      from:
        {{- include "service.strings" $policy.from | nindent 8 }}
        {{- with include (printf "%s.clients" .Chart.Name) . }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with $policy.prometheus }}
        {{- include "service.strings" . | nindent 8 }}
        {{- end }}
        # The pod of `helm test`. The test pod of payments also calls auth, which may belong to another release.
        - podSelector:
            matchLabels:
              app.kubernetes.io/part-of: malipo
              app.kubernetes.io/component: test
  egress:
    {{- include "service.dns" . | nindent 4 }}
    {{- include "service.databaseEgress" . | nindent 4 }}
    {{- if or .Values.redis.url .Values.redis.sentinels }}
    {{- include "service.requireNonEmpty" (dict "redis" $policy.redis "redisPorts" $policy.redisPorts) }}
    - ports:
        {{- include "service.ports" $policy.redisPorts | nindent 8 }}
      to:
        {{- tpl (include "service.strings" $policy.redis) . | nindent 8 }}
    {{- end }}
    {{- with include (printf "%s.egress" .Chart.Name) . }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- if .Values.tracing.endpoint }}
    {{- include "service.requireNonEmpty" (dict "collector" $policy.collector "collectorPorts" $policy.collectorPorts) }}
    - ports:
        {{- include "service.ports" $policy.collectorPorts | nindent 8 }}
      to:
        {{- include "service.strings" $policy.collector | nindent 8 }}
    {{- end }}
    {{- with $policy.extraEgress }}
    {{- include "service.stringsExcept" (list . (list "port" "endPort")) | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end }}

{{/* Ports of a NetworkPolicy: numbers, or names of container ports. */}}
{{- define "service.ports" -}}
{{- range . }}
- port: {{ if kindIs "string" . }}{{ . | quote }}{{ else }}{{ . | int64 }}{{ end }}
{{- end }}
{{- end }}

{{/*
Fails on an empty list of peers or ports, since in a NetworkPolicy it allows everything instead of nothing.
Argument: a dict of names to lists.
*/}}
{{- define "service.requireNonEmpty" -}}
{{- range $name, $list := . }}
{{- if not $list }}
{{- fail (printf "networkPolicy.%s is empty, which would allow all traffic: set it, or set networkPolicy.enabled to false" $name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Egress to the database. */}}
{{- define "service.databaseEgress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if eq .Values.database.kind "cnpg" -}}
- ports:
    - port: 5432
  to:
    - podSelector:
        matchLabels:
          cnpg.io/cluster: {{ include "service.cluster" . | quote }}
    {{- if .Values.database.pooler.enabled }}
    - podSelector:
        matchLabels:
          cnpg.io/poolerName: {{ printf "%s-pooler" (include "service.cluster" .) | quote }}
    {{- end }}
{{- else -}}
{{- include "service.requireNonEmpty" (dict "database" $policy.database) -}}
- ports:
    - port: {{ .Values.database.external.port | int64 }}
  to:
    {{- include "service.strings" $policy.database | nindent 4 }}
{{- end }}
{{- end }}

{{- define "service.dns" -}}
{{- $policy := .Values.networkPolicy -}}
{{- include "service.requireNonEmpty" (dict "dns" $policy.dns "dnsPorts" $policy.dnsPorts) -}}

- ports:
    {{- range $policy.dnsPorts }}
    - { port: {{ . | int64 }}, protocol: UDP }
    - { port: {{ . | int64 }}, protocol: TCP }
    {{- end }}
  to:
    {{- include "service.strings" $policy.dns | nindent 4 }}
{{- end }}

{{- define "service.databasePolicy" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled (eq .Values.database.kind "cnpg") -}}
{{- $cluster := include "service.cluster" . -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $cluster | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      cnpg.io/cluster: {{ $cluster | quote }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: 5432
      from:
        - podSelector:
            matchLabels:
              {{- include "service.selectorLabels" . | nindent 14 }}
        {{- if (.Values.audit).retentionDays }}
        - podSelector:
            matchLabels:
              {{- include (printf "%s.retentionLabels" .Chart.Name) . | nindent 14 }}
        {{- end }}
        - podSelector:
            matchLabels:
              cnpg.io/cluster: {{ $cluster | quote }}
    # The operator and the instances query the status of each instance.
    {{- include "service.requireNonEmpty" (dict "operator" $policy.operator) }}
    - ports:
        - port: 8000
        - port: 5432
      from:
        {{- include "service.strings" $policy.operator | nindent 8 }}
    - ports:
        - port: 8000
      from:
        - podSelector:
            matchLabels:
              cnpg.io/cluster: {{ $cluster | quote }}
    # Metrics of the instances and of PgBouncer, whose pods also have the Cluster's label.
    {{- with $policy.prometheus }}
    - ports:
        - port: 9187
        {{- if $.Values.database.pooler.enabled }}
        - port: 9127
        {{- end }}
      from:
        {{- include "service.strings" . | nindent 8 }}
    {{- end }}
  egress:
    {{- include "service.dns" . | nindent 4 }}
    - ports:
        - port: 5432
        - port: 8000
      to:
        - podSelector:
            matchLabels:
              cnpg.io/cluster: {{ $cluster | quote }}
    # Every instance reads its Cluster object; the primary renews its Lease.
    {{- include "service.requireNonEmpty" (dict "apiServer.ports" $policy.apiServer.ports "apiServer.cidrs" $policy.apiServer.cidrs) }}
    - ports:
        {{- include "service.ports" $policy.apiServer.ports | nindent 8 }}
      to:
        {{- range $policy.apiServer.cidrs }}
        - ipBlock: { cidr: {{ . | quote }} }
        {{- end }}
    {{- if or .Values.database.backup.enabled .Values.database.restore.enabled }}
    {{- include "service.requireNonEmpty" (dict "objectStore.ports" $policy.objectStore.ports "objectStore.to" $policy.objectStore.to) }}
    - ports:
        {{- include "service.ports" $policy.objectStore.ports | nindent 8 }}
      to:
        {{- include "service.strings" $policy.objectStore.to | nindent 8 }}
    {{- end }}
{{- end -}}
{{- end }}
