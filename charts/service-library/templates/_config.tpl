{{/* Environment variables of the service: those of all services, those of the chart, and `extraConfig`, as YAML. */}}
{{- define "service.config" -}}
{{- $config := include "service.commonConfig" . | fromYaml -}}
{{- range $name, $value := include (printf "%s.config" .Chart.Name) . | fromYaml }}{{ $_ := set $config $name $value }}{{ end -}}
{{- range $name, $value := .Values.extraConfig }}{{ $_ := set $config $name $value }}{{ end -}}
{{ include "service.strings" $config }}
{{- end }}

{{- define "service.commonConfig" -}}
MODE: {{ include "service.mode" . | quote }}
PORT: {{ .Values.service.port | int64 | quote }}
LOG_LEVEL: {{ .Values.logLevel | quote }}
LOG_REQUESTS: {{ .Values.logRequests | quote }}
{{- with .Values.tracing.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
OTEL_TRACES_SAMPLER_ARG: {{ $.Values.tracing.ratio | quote }}
{{- end }}
DEFAULT_REGION: {{ .Values.defaultRegion | quote }}
SHUTDOWN_DRAIN_MS: {{ .Values.shutdown.drainMs | int64 | quote }}
{{- with .Values.corsOrigins }}
CORS_ORIGINS: {{ join "," . | quote }}
{{- end }}
{{- with .Values.trustedProxies }}
TRUSTED_PROXIES: {{ join "," . | quote }}
{{- end }}
{{- if or .Values.caBundle.secret .Values.caBundle.configMap }}
NODE_EXTRA_CA_CERTS: /secrets/ca/ca.crt
{{- end }}
{{ include "service.databaseConfig" . }}
{{ include "service.redisConfig" . }}
{{- end }}

{{- define "service.databaseConfig" -}}
{{- $external := .Values.database.external -}}
{{- if eq .Values.database.kind "external" -}}
{{- if and $external.tls.caSecret (not $external.tls.enabled) -}}
{{- fail "database.external.tls.caSecret contradicts database.external.tls.enabled: false" -}}
{{- end -}}
DB_HOST: {{ required "database.external.host is required: the hostname of the database" $external.host | quote }}
DB_PORT: {{ $external.port | int64 | quote }}
DB_NAME: {{ $external.name | default .Chart.Name | quote }}
DB_SSL: {{ $external.tls.enabled | quote }}
{{- if $external.tls.caSecret }}
DB_SSL_CA_FILE: /secrets/database/ca.crt
{{- end }}
{{- else -}}
DB_HOST: {{ printf "%s-%s" (include "service.cluster" .) (ternary "pooler" "rw" .Values.database.pooler.enabled) | quote }}
DB_PORT: "5432"
DB_NAME: {{ .Chart.Name | quote }}
DB_SSL: "true"
DB_SSL_CA_FILE: /secrets/database/ca.crt
{{- end }}
DB_PASSWORD_FILE: /secrets/database/password
DB_POOL_MAX: {{ .Values.database.poolMax | int64 | quote }}
DB_WAIT_MS: {{ .Values.database.waitMs | int64 | quote }}
{{- end }}

{{- define "service.redisConfig" -}}
{{- $redis := .Values.redis -}}
{{- if and $redis.caSecret (not $redis.sentinels) (hasPrefix "redis://" (tpl $redis.url .)) -}}
{{- fail (printf "%s: redis.caSecret contradicts redis://, which has no TLS: use rediss:// in redis.url" .Chart.Name) -}}
{{- end -}}
{{- if $redis.sentinels -}}
REDIS_SENTINELS: {{ join "," $redis.sentinels | quote }}
REDIS_SENTINEL_MASTER: {{ required "redis.sentinelMaster is required with redis.sentinels" $redis.sentinelMaster | quote }}
{{- with $redis.sentinelUsername }}
REDIS_SENTINEL_USERNAME: {{ . | quote }}
{{- end }}
{{- if $redis.sentinelSecret }}
REDIS_SENTINEL_PASSWORD_FILE: /secrets/redis/sentinel-password
{{- end }}
{{- else if $redis.url -}}
REDIS_URL: {{ tpl $redis.url . | quote }}
{{- end }}
{{- with $redis.username }}
REDIS_USERNAME: {{ . | quote }}
{{- end }}
{{- if $redis.existingSecret }}
REDIS_PASSWORD_FILE: /secrets/redis/password
{{- end }}
{{- if $redis.caSecret }}
REDIS_CA_FILE: /secrets/redis/ca.crt
{{- end }}
{{- end }}

{{/* User names of Redis and of its Sentinels that are in a Secret. */}}
{{- define "service.redisEnv" -}}
{{- $redis := .Values.redis -}}
{{- if and $redis.existingSecret $redis.usernameKey }}
- name: REDIS_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ tpl $redis.existingSecret . | quote }}
      key: {{ $redis.usernameKey | quote }}
{{- end }}
{{- if and $redis.sentinels $redis.sentinelSecret $redis.sentinelUsernameKey }}
- name: REDIS_SENTINEL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ tpl $redis.sentinelSecret . | quote }}
      key: {{ $redis.sentinelUsernameKey | quote }}
{{- end }}
{{- end }}
