{{/* The Secret with the shared secret that signs tokens. */}}
{{- define "auth.secretName" -}}
{{ include "service.secretName" (list . .Values.jwt.existingSecret "jwt.existingSecret" (include "service.fullname" .)) }}
{{- end }}

{{/* The Secret with the keys that derive refresh tokens. */}}
{{- define "auth.refreshKeysSecret" -}}
{{ include "service.secretName" (list . .Values.session.refreshKeys.existingSecret "session.refreshKeys.existingSecret" (printf "%s-refresh-keys" (include "service.fullname" .))) }}
{{- end }}

{{/* Secret files of auth. The signing keys, files that end in .json, are in the same folder as the shared secret. */}}
{{- define "auth.files" -}}
{{- if .Values.jwt.secret }}
- secret:
    name: {{ include "auth.secretName" . | quote }}
    items: [{ key: jwt, path: jwt }]
{{- end }}
{{- with .Values.jwt.keysSecret }}
- secret:
    name: {{ tpl . $ | quote }}
{{- end }}
- secret:
    name: {{ include "auth.refreshKeysSecret" . | quote }}
    items: [{ key: {{ .Values.session.refreshKeys.key | quote }}, path: refresh-keys }]
{{- end }}

{{/* Environment variables of auth only. */}}
{{- define "auth.config" -}}
{{- $signer := or .Values.jwt.keysSecret (ternary "a secret" "" .Values.jwt.secret) -}}
{{- $_ := required "jwt.secret is false and jwt.keysSecret is empty: set one of them to sign tokens" $signer -}}
{{- if .Values.jwt.secret -}}
JWT_SECRET_FILE: /secrets/service/jwt
{{ end -}}
{{- if .Values.jwt.keysSecret -}}
JWT_KEYS_DIR: /secrets/service
{{ end -}}
JWT_EXPIRES_IN: {{ .Values.jwt.expiresInSeconds | int64 | quote }}
JWT_ISSUER: {{ .Values.jwt.issuer | quote }}
JWT_AUDIENCE: {{ .Values.jwt.audience | quote }}
SESSION_EXPIRES_IN: {{ .Values.session.expiresInSeconds | int64 | quote }}
SESSIONS_PER_USER: {{ .Values.session.perUser | int64 | quote }}
REFRESH_GRACE_MS: {{ .Values.session.refreshGraceMs | int64 | quote }}
REFRESH_KEYS_FILE: /secrets/service/refresh-keys
BCRYPT_COST: {{ .Values.bcryptCost | int64 | quote }}
UV_THREADPOOL_SIZE: {{ .Values.threads | int64 | quote }}
{{- with .Values.throttle.registrationsPerMinute }}
REGISTRATIONS_PER_MINUTE: {{ . | int64 | quote }}
{{- end }}
{{- with .Values.throttle.refusalsPerMinute }}
REFUSALS_PER_MINUTE: {{ . | int64 | quote }}
{{- end }}
{{- end }}

{{/* Mounts and volumes in addition to those of every service: none. */}}
{{- define "auth.mounts" -}}
{{- end }}
{{- define "auth.volumes" -}}
{{- end }}

{{/* Peers that may call auth, in addition to the ingress controller. */}}
{{- define "auth.clients" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: payments
      app.kubernetes.io/part-of: malipo
{{- end }}

{{/* Egress of auth in addition to its database and Redis: none. */}}
{{- define "auth.egress" -}}
{{- end }}

{{/* The CronJob that deletes old audit events. Its pods don't match the Service's selector. */}}
{{- define "auth.retentionName" -}}
{{ include "service.fullname" . }}-retention
{{- end }}

{{- define "auth.retentionLabels" -}}
app.kubernetes.io/name: auth-retention
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/part-of: malipo
{{- end }}
