{{/* The Secret with the passwords. */}}
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

{{/* The key of a service's password in the Secret. Argument: the name of the service, which is also its user. */}}
{{- define "redis.passwordKey" -}}
{{ printf "%s-password" . }}
{{- end }}

{{/*
The rules of each ACL user, as `src/redis-access.ts` of each service states them. The default user is for probes,
diagnosis and the exporter.
*/}}
{{- define "redis.users" -}}
default: [resetkeys, resetchannels, -@all, +ping, +info, +config|get]
auth: ["~session:*", "~auth:*", resetchannels, "&revoked", -@all, +ping, +info, +exec, +multi, +set, +publish, +eval, +evalsha, +incrby, +get, +pttl, +expire]
payments: ["~token:*", "~session:*", resetchannels, "&revoked", -@all, +ping, +info, +time, +mget, +set, +pexpire, +del, +subscribe]
{{- end }}
