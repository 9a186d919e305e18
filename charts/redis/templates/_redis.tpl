{{/* The Secret with the password. */}}
{{- define "redis.secretName" -}}
{{ include "service.secretName" (list . .Values.existingSecret "existingSecret" (include "service.fullname" .)) }}
{{- end }}

{{/* The URL for clients. */}}
{{- define "redis.url" -}}
{{ ternary "rediss" "redis" (ne .Values.tls.existingSecret "") }}://{{ include "service.fullname" . }}:6379
{{- end }}

{{/* Security context of each container. */}}
{{- define "redis.containerSecurity" -}}
{{ include "service.withoutNulls" .Values.containerSecurityContext }}
{{- end }}
