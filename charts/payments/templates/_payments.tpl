{{/* The Secret with which providers sign. */}}
{{- define "payments.secretName" -}}
{{ .Values.webhooks.existingSecret | default (include "service.fullname" .) }}
{{- end }}

{{/* The files of its own. */}}
{{- define "payments.files" -}}
- secret:
    name: {{ include "payments.secretName" . }}
{{- end }}

{{/* What is payments' own in the ConfigMap. */}}
{{- define "payments.config" -}}
AUTH_SERVICE_URL: {{ tpl (required "authUrl is where auth is, such as http://auth:3002" .Values.authUrl) . }}
TOKEN_CACHE_TTL_MS: {{ .Values.tokenCache.ttlMs | int64 | quote }}
TOKEN_CACHE_STALE_MS: {{ .Values.tokenCache.staleMs | int64 | quote }}
WEBHOOK_SECRETS_FILE: /secrets/own/webhooks
{{- end }}

{{/* Who calls payments beside the edge: nobody. */}}
{{- define "payments.callers" -}}
{{- end }}

{{/* Whom payments calls beside its database and Redis. */}}
{{- define "payments.reaches" -}}
{{- include "service.named" (dict "auth" .Values.networkPolicy.auth) -}}
- ports:
    - port: {{ .Values.networkPolicy.authPort }}
  to:
    {{- toYaml .Values.networkPolicy.auth | nindent 4 }}
{{- end }}
