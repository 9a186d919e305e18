{{/* The Secret with the credentials of the accounts. */}}
{{- define "simulator.secretName" -}}
{{ include "service.secretName" (list . .Values.existingSecret "existingSecret" (include "service.fullname" .)) }}
{{- end }}

{{/* The URL of payments for callbacks. */}}
{{- define "simulator.paymentsUrl" -}}
{{ tpl (required "paymentsUrl is required, such as http://payments:4000" .Values.paymentsUrl) . | trimSuffix "/" }}
{{- end }}

{{/* The accounts as the value `providers.accounts` of payments, in YAML. */}}
{{- define "simulator.accounts" -}}
{{- $selector := include "service.selectorLabels" . | fromYaml -}}
{{- $peer := dict "podSelector" (dict "matchLabels" $selector) "port" (int64 .Values.service.port) -}}
{{- $own := dict
  "baseUrl" (printf "http://%s:%d" (include "service.fullname" .) (int64 .Values.service.port))
  "callbackOrigin" (include "simulator.paymentsUrl" .)
  "secretName" (include "simulator.secretName" .)
  "egress" (list $peer)
-}}
{{- $accounts := list -}}
{{- range $account := (.Files.Get "files/providers.json" | fromJson).accounts -}}
{{- $accounts = append $accounts (mergeOverwrite $account $own) -}}
{{- end -}}
{{ $accounts | toYaml }}
{{- end }}

{{/* The keys of the credentials, each with a new value, as YAML. */}}
{{- define "simulator.credentials" -}}
{{- range $account := (.Files.Get "files/providers.json" | fromJson).accounts -}}
{{- range $key := values $account.credentials | sortAlpha }}
{{ $key }}: {{ randAlphaNum 40 | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* ACCOUNTS_FILE. */}}
{{- define "simulator.accountsFile" -}}
{{- $url := include "simulator.paymentsUrl" . -}}
{{- .Files.Get "files/accounts.json" | replace "http://payments.invalid" $url | replace "payments.invalid" (urlParse $url).host -}}
{{- end }}

{{/* Environment variables, as YAML. */}}
{{- define "simulator.config" -}}
MODE: {{ include "service.mode" . | quote }}
PORT: {{ .Values.service.port | int64 | quote }}
LOG_LEVEL: {{ .Values.logLevel | quote }}
ACCOUNTS_FILE: /accounts/accounts.json
BOOK_FILE: /book/book.jsonl
BOOK_MAX_CHARGES: {{ .Values.book.maxCharges | int64 | quote }}
TIME_SCALE: {{ .Values.timeScale | quote }}
SEED: {{ .Values.seed | quote }}
{{- with .Values.personalityMix }}
PERSONALITY_MIX: {{ . | quote }}
{{- end }}
{{- with .Values.extraConfig }}
{{ include "service.strings" . }}
{{- end }}
{{- end }}

{{- define "simulator.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "service.fullname" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
data:
  {{- include "simulator.config" . | nindent 2 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ printf "%s-accounts" (include "service.fullname" .) | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
data:
  accounts.json: {{ include "simulator.accountsFile" . | quote }}
{{- end }}
