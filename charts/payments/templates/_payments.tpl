{{/* The Secret with the webhook secrets of providers. */}}
{{- define "payments.secretName" -}}
{{ include "service.secretName" (list . .Values.webhooks.existingSecret "webhooks.existingSecret" (include "service.fullname" .)) }}
{{- end }}

{{/* The Secret with the keys that sign cache entries. */}}
{{- define "payments.cacheKeysSecret" -}}
{{ include "service.secretName" (list . .Values.tokenCache.keys.existingSecret "tokenCache.keys.existingSecret" (printf "%s-token-cache-keys" (include "service.fullname" .))) }}
{{- end }}

{{/* The Secret with the keys of callback URLs. */}}
{{- define "payments.callbackKeysSecret" -}}
{{ include "service.secretName" (list . .Values.callbackKeys.existingSecret "callbackKeys.existingSecret" (printf "%s-callback-keys" (include "service.fullname" .))) }}
{{- end }}

{{/* The Secret with the keys that seal the secrets of webhook endpoints. */}}
{{- define "payments.encryptionKeysSecret" -}}
{{ include "service.secretName" (list . .Values.encryptionKeys.existingSecret "encryptionKeys.existingSecret" (printf "%s-encryption-keys" (include "service.fullname" .))) }}
{{- end }}

{{/* Secret files of payments. */}}
{{- define "payments.files" -}}
- secret:
    name: {{ include "payments.secretName" . | quote }}
- secret:
    name: {{ include "payments.cacheKeysSecret" . | quote }}
    items: [{ key: {{ .Values.tokenCache.keys.key | quote }}, path: token-cache-keys }]
{{- with .Values.webhooks.retiredSecret }}
- secret:
    name: {{ tpl . $ | quote }}
    items: [{ key: retired-webhooks, path: retired-webhooks }]
{{- end }}
{{- if .Values.providers.accounts }}
- secret:
    name: {{ include "payments.callbackKeysSecret" . | quote }}
    items: [{ key: {{ .Values.callbackKeys.key | quote }}, path: callback-keys }]
{{- end }}
{{- end }}

{{/* Environment variables of payments only. */}}
{{- define "payments.config" -}}
AUTH_SERVICE_URL: {{ tpl (required "authUrl is required, such as http://auth:3002" .Values.authUrl) . | quote }}
TOKEN_CACHE_TTL_MS: {{ .Values.tokenCache.ttlMs | int64 | quote }}
TOKEN_CACHE_STALE_MS: {{ .Values.tokenCache.staleMs | int64 | quote }}
TOKEN_CACHE_KEYS_FILE: /secrets/service/token-cache-keys
WEBHOOK_ENCRYPTION_KEYS_DIR: /secrets/encryption
WEBHOOK_SECRETS_FILE: /secrets/service/webhooks
{{- if .Values.webhooks.retiredSecret }}
WEBHOOK_RETIRED_SECRETS_FILE: /secrets/service/retired-webhooks
{{- end }}
PROVIDERS_FILE: /providers/providers.yaml
{{- if .Values.providers.accounts }}
CALLBACK_KEYS_FILE: /secrets/service/callback-keys
{{- end }}
{{ include "payments.egressConfig" . }}
{{- with .Values.recovery.id }}
{{- if not (regexMatch "^[A-Za-z0-9_.:+-]{1,100}$" .) -}}
{{- fail (printf "recovery.id: %q must have 1 to 100 letters, digits and . _ : + -" .) -}}
{{- end }}
RECOVERY_ID: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Peers that may call payments, in addition to the ingress controller: none. */}}
{{- define "payments.clients" -}}
{{- end }}

{{/* Egress of payments in addition to its database and Redis. */}}
{{- define "payments.egress" -}}
{{- include "service.requireNonEmpty" (dict "auth" .Values.networkPolicy.auth) -}}
- ports:
    {{- include "service.ports" (list .Values.networkPolicy.authPort) | nindent 4 }}
  to:
    {{- tpl (include "service.strings" .Values.networkPolicy.auth) . | nindent 4 }}
{{- include "payments.notificationsEgress" . }}
{{- include "payments.providersEgress" . }}
{{- end }}
