{{/*
What each pod may reach and be reached by, and nothing else. A policy that selects a pod denies what it
does not name, in the directions that it names.
*/}}
{{- define "service.networkPolicy" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if $policy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "service.fullname" . }}
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
        {{- toYaml $policy.from | nindent 8 }}
        {{- with include (printf "%s.callers" .Chart.Name) . }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with $policy.prometheus }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        # The pod of `helm test`; that of payments calls auth too, which may be of another release.
        - podSelector:
            matchLabels:
              app.kubernetes.io/part-of: malipo
              app.kubernetes.io/component: test
  egress:
    {{- include "service.dns" . | nindent 4 }}
    {{- if eq .Values.database.kind "cnpg" }}
    - ports:
        - port: 5432
      to:
        - podSelector:
            matchLabels:
              cnpg.io/cluster: {{ include "service.cluster" . }}
        {{- if .Values.database.pooler.enabled }}
        - podSelector:
            matchLabels:
              cnpg.io/poolerName: {{ include "service.cluster" . }}-pooler
        {{- end }}
    {{- else }}
    {{- include "service.named" (dict "database" $policy.database) }}
    - ports:
        - port: {{ .Values.database.external.port }}
      to:
        {{- toYaml $policy.database | nindent 8 }}
    {{- end }}
    {{- if or .Values.redis.url .Values.redis.sentinels }}
    {{- include "service.named" (dict "redis" $policy.redis "redisPorts" $policy.redisPorts) }}
    - ports:
        {{- range $policy.redisPorts }}
        - port: {{ . }}
        {{- end }}
      to:
        {{- tpl (toYaml $policy.redis) . | nindent 8 }}
    {{- end }}
    {{- with include (printf "%s.reaches" .Chart.Name) . }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- if .Values.tracing.endpoint }}
    {{- include "service.named" (dict "collector" $policy.collector "collectorPorts" $policy.collectorPorts) }}
    - ports:
        {{- range $policy.collectorPorts }}
        - port: {{ . }}
        {{- end }}
      to:
        {{- toYaml $policy.collector | nindent 8 }}
    {{- end }}
    {{- with $policy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end }}

{{/*
Takes a dict of names to lists. To a policy an empty list is not nobody but everybody, so it is refused.
*/}}
{{- define "service.named" -}}
{{- range $name, $list := . }}
{{- if not $list }}
{{- fail (printf "networkPolicy.%s is empty, which would be everywhere: name it, or set networkPolicy.enabled to false" $name) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "service.dns" -}}
{{- include "service.named" (dict "dns" .Values.networkPolicy.dns) -}}

- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
  to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
{{- end }}

{{- define "service.databasePolicy" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled (eq .Values.database.kind "cnpg") -}}
{{- $cluster := include "service.cluster" . -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $cluster }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      cnpg.io/cluster: {{ $cluster }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: 5432
      from:
        - podSelector:
            matchLabels:
              {{- include "service.selectorLabels" . | nindent 14 }}
        - podSelector:
            matchLabels:
              cnpg.io/cluster: {{ $cluster }}
    # The operator asks each instance how it is, and instances one another.
    {{- include "service.named" (dict "operator" $policy.operator) }}
    - ports:
        - port: 8000
        - port: 5432
      from:
        {{- toYaml $policy.operator | nindent 8 }}
    - ports:
        - port: 8000
      from:
        - podSelector:
            matchLabels:
              cnpg.io/cluster: {{ $cluster }}
    # The metrics of an instance, and of PgBouncer: its pods have the Cluster's label, too.
    {{- with $policy.prometheus }}
    - ports:
        - port: 9187
        {{- if $.Values.database.pooler.enabled }}
        - port: 9127
        {{- end }}
      from:
        {{- toYaml . | nindent 8 }}
    {{- end }}
  egress:
    {{- include "service.dns" . | nindent 4 }}
    - ports:
        - port: 5432
        - port: 8000
      to:
        - podSelector:
            matchLabels:
              cnpg.io/cluster: {{ $cluster }}
    # Every instance holds a lease and reads its Cluster.
    {{- include "service.named" (dict "apiServer.ports" $policy.apiServer.ports "apiServer.cidrs" $policy.apiServer.cidrs) }}
    - ports:
        {{- range $policy.apiServer.ports }}
        - port: {{ . }}
        {{- end }}
      to:
        {{- range $policy.apiServer.cidrs }}
        - ipBlock: { cidr: {{ . }} }
        {{- end }}
    {{- if or .Values.database.backup.enabled .Values.database.restore.enabled }}
    {{- include "service.named" (dict "objectStore.ports" $policy.objectStore.ports "objectStore.to" $policy.objectStore.to) }}
    - ports:
        {{- range $policy.objectStore.ports }}
        - port: {{ . }}
        {{- end }}
      to:
        {{- toYaml $policy.objectStore.to | nindent 8 }}
    {{- end }}
{{- end -}}
{{- end }}
