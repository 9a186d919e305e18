{{/* The Secret that signs tokens. */}}
{{- define "auth.secretName" -}}
{{ .Values.jwt.existingSecret | default (include "service.fullname" .) }}
{{- end }}

{{/* The files of its own. Keys are in a folder with the secret; their names end in .json. */}}
{{- define "auth.files" -}}
{{- if .Values.jwt.secret }}
- secret:
    name: {{ include "auth.secretName" . }}
    items: [{ key: jwt, path: jwt }]
{{- end }}
{{- with .Values.jwt.keysSecret }}
- secret:
    name: {{ tpl . $ }}
{{- end }}
{{- end }}

{{/* What is auth's own in the ConfigMap. */}}
{{- define "auth.config" -}}
{{- $signer := or .Values.jwt.keysSecret (ternary "a secret" "" .Values.jwt.secret) -}}
{{- $_ := required "jwt.secret is false and jwt.keysSecret is empty: nothing could sign a token" $signer -}}
{{- if .Values.jwt.secret -}}
JWT_SECRET_FILE: /secrets/own/jwt
{{ end -}}
{{- if .Values.jwt.keysSecret -}}
JWT_KEYS_DIR: /secrets/own
{{ end -}}
JWT_EXPIRES_IN: {{ .Values.jwt.expiresInSeconds | int64 | quote }}
JWT_ISSUER: {{ .Values.jwt.issuer | quote }}
JWT_AUDIENCE: {{ .Values.jwt.audience | quote }}
SESSION_EXPIRES_IN: {{ .Values.session.expiresInSeconds | int64 | quote }}
BCRYPT_COST: {{ .Values.bcryptCost | quote }}
UV_THREADPOOL_SIZE: {{ .Values.threads | quote }}
{{- with .Values.throttle.registrationsPerHour }}
REGISTRATIONS_PER_HOUR: {{ . | int64 | quote }}
{{- end }}
{{- with .Values.throttle.refusalsPerAddress }}
REFUSALS_PER_ADDRESS: {{ . | int64 | quote }}
{{- end }}
{{- end }}

{{/* Who calls auth beside the edge. */}}
{{- define "auth.callers" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: payments
      app.kubernetes.io/part-of: malipo
{{- end }}

{{/* Whom auth calls beside its database and Redis: nobody. */}}
{{- define "auth.reaches" -}}
{{- end }}
