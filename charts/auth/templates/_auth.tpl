{{/* The Secret that signs tokens. */}}
{{- define "auth.secretName" -}}
{{ .Values.jwt.existingSecret | default (include "service.fullname" .) }}
{{- end }}

{{/* What is auth's own in the ConfigMap. */}}
{{- define "auth.config" -}}
JWT_SECRET_FILE: /secrets/own/jwt
JWT_EXPIRES_IN: {{ .Values.jwt.expiresInSeconds | int64 | quote }}
BCRYPT_COST: {{ .Values.bcryptCost | quote }}
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
