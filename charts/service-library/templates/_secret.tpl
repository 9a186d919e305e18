{{/* Whether the chart may create Secrets with random values: not if this chart's value or the global one is false. */}}
{{- define "service.createsSecrets" -}}
{{- $global := (.Values.global).secrets | default dict -}}
{{ ternary "true" "" (and .Values.secrets.create (dig "create" true $global)) }}
{{- end }}

{{/*
The name of a Secret: a named one, or the one that the chart creates.
Arguments: the root context, the value, the value's name, and the name of the created Secret.
*/}}
{{- define "service.secretName" -}}
{{- $root := index . 0 -}}
{{- $named := index . 1 -}}
{{- $isCreated := or (include "service.createsSecrets" $root) $root.Values.externalSecrets.enabled -}}
{{- if not (or $named $isCreated) -}}
{{- fail (printf "%s: %s is required, because secrets.create is false: the name of an existing Secret" $root.Chart.Name (index . 2)) -}}
{{- end -}}
{{ tpl $named $root | default (index . 3) }}
{{- end }}

{{/*
A Secret whose values are generated once: an upgrade reads the existing values with `lookup` and keeps them.
`helm template` and GitOps tools have no `lookup`, and would generate new values each time: they need
`secrets.create: false` and named Secrets.
Argument: a list of the root context, the Secret's name, its type, a dict of keys to new values, and optionally a dict of
keys to values that replace existing ones unless they are empty.
*/}}
{{- define "service.generatedSecret" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $existing := (lookup "v1" "Secret" $root.Release.Namespace $name).data | default dict -}}
{{- $replaced := slice . 4 | first | default dict -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name | quote }}
  labels:
    {{- include "service.labels" $root | nindent 4 }}
    cnpg.io/reload: "true"
  annotations:
    helm.sh/resource-policy: keep
type: {{ index . 2 | quote }}
data:
  {{- range $key, $value := index . 3 }}
  {{ $key }}: {{ get $replaced $key | b64enc | default (get $existing $key) | default ($value | b64enc) | quote }}
  {{- end }}
{{- end }}

{{/* The same Secret as an ExternalSecret. Argument: a list of the root context, name, type, and a list of keys. */}}
{{- define "service.externalSecret" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $external := $root.Values.externalSecrets -}}
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ $name | quote }}
  labels:
    {{- include "service.labels" $root | nindent 4 }}
spec:
  refreshInterval: {{ $external.refreshInterval | quote }}
  secretStoreRef:
    {{- include "service.strings" $external.storeRef | nindent 4 }}
  target:
    name: {{ $name | quote }}
    template:
      type: {{ index . 2 | quote }}
      mergePolicy: Merge
      metadata:
        labels:
          cnpg.io/reload: "true"
  data:
    {{- range $key := index . 3 }}
    - secretKey: {{ $key | quote }}
      remoteRef:
        key: {{ printf "%s%s" $external.remotePrefix $name | quote }}
        property: {{ $key | quote }}
    {{- end }}
{{- end }}

{{/* A generated Secret, or an ExternalSecret when External Secrets are enabled. */}}
{{- define "service.secret" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.externalSecrets.enabled -}}
{{ include "service.externalSecret" (list $root (index . 1) (index . 2) (keys (index . 3) | sortAlpha)) }}
{{- else -}}
{{ include "service.generatedSecret" . }}
{{- end -}}
{{- end }}

{{/* Credentials of the service's database role, which may not change the schema or recorded events. */}}
{{- define "service.databaseRoleSecret" -}}
{{- if and (eq .Values.database.kind "cnpg") (not .Values.database.serviceSecret) -}}
{{- $name := include "service.databaseSecret" . -}}
{{- $values := dict "username" (printf "%s_service" .Chart.Name) "password" (randAlphaNum 40) -}}
{{ include "service.secret" (list . $name "kubernetes.io/basic-auth" $values) }}
{{- end -}}
{{- end }}
