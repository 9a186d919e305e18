{{/* Environment variables of the service: those of all services, then those of the chart. */}}
{{- define "service.config" -}}
MODE: {{ include "service.mode" . }}
PORT: {{ .Values.service.port | quote }}
LOG_LEVEL: {{ .Values.logLevel }}
LOG_REQUESTS: {{ .Values.logRequests | quote }}
{{- with .Values.tracing.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
OTEL_TRACES_SAMPLER_ARG: {{ $.Values.tracing.ratio | quote }}
{{- end }}
DEFAULT_REGION: {{ .Values.defaultRegion }}
SHUTDOWN_DRAIN_MS: {{ .Values.shutdown.drainMs | int64 | quote }}
{{- with .Values.corsOrigins }}
CORS_ORIGINS: {{ join "," . | quote }}
{{- end }}
{{- with .Values.trustedProxies }}
TRUSTED_PROXIES: {{ join "," . | quote }}
{{- end }}
{{ include "service.databaseConfig" . }}
{{ include "service.redisConfig" . }}
{{ include (printf "%s.config" .Chart.Name) . }}
{{- with .Values.extraConfig }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "service.databaseConfig" -}}
{{- $external := .Values.database.external -}}
{{- if eq .Values.database.kind "external" -}}
DB_HOST: {{ required "database.external.host is required: the hostname of the database" $external.host | quote }}
DB_PORT: {{ $external.port | quote }}
DB_NAME: {{ $external.name | default .Chart.Name | quote }}
DB_SSL: {{ $external.tls.enabled | quote }}
{{- if $external.tls.caSecret }}
DB_SSL_CA_FILE: /secrets/database/ca.crt
{{- end }}
{{- else -}}
DB_HOST: {{ include "service.cluster" . }}-{{ ternary "pooler" "rw" .Values.database.pooler.enabled }}
DB_PORT: "5432"
DB_NAME: {{ .Chart.Name }}
DB_SSL: "true"
DB_SSL_CA_FILE: /secrets/database/ca.crt
{{- end }}
DB_PASSWORD_FILE: /secrets/database/password
DB_POOL_MAX: {{ .Values.database.poolMax | quote }}
DB_WAIT_MS: {{ .Values.database.waitMs | int64 | quote }}
{{- end }}

{{- define "service.redisConfig" -}}
{{- $redis := .Values.redis -}}
{{- if $redis.sentinels -}}
REDIS_SENTINELS: {{ join "," $redis.sentinels | quote }}
REDIS_SENTINEL_MASTER: {{ $redis.sentinelMaster | quote }}
{{- else if $redis.url -}}
REDIS_URL: {{ tpl $redis.url . | quote }}
{{- end }}
{{- if $redis.existingSecret }}
REDIS_PASSWORD_FILE: /secrets/redis/password
{{- end }}
{{- if $redis.caSecret }}
REDIS_CA_FILE: /secrets/redis/ca.crt
{{- end }}
{{- end }}
