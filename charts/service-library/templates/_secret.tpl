{{/*
A Secret whose values are generated once: an upgrade reads the existing values with `lookup` and keeps them.
`helm template` and GitOps tools have no `lookup`, so use existing Secrets there.
Argument: a list of the root context, the Secret's name, its type, and a dict of keys to new values.
*/}}
{{- define "service.generatedSecret" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $type := index . 2 -}}
{{- $fresh := index . 3 -}}
{{- $existing := (lookup "v1" "Secret" $root.Release.Namespace $name).data | default dict -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name }}
  labels:
    {{- include "service.labels" $root | nindent 4 }}
    cnpg.io/reload: "true"
  annotations:
    helm.sh/resource-policy: keep
type: {{ $type }}
data:
  {{- range $key, $value := $fresh }}
  {{ $key }}: {{ get $existing $key | default ($value | b64enc) }}
  {{- end }}
{{- end }}

{{/* The same Secret as an ExternalSecret. Argument: a list of the root context, name, type, and a list of keys. */}}
{{- define "service.externalSecret" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $type := index . 2 -}}
{{- $keys := index . 3 -}}
{{- $external := $root.Values.externalSecrets -}}
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ $name }}
  labels:
    {{- include "service.labels" $root | nindent 4 }}
spec:
  refreshInterval: {{ $external.refreshInterval }}
  secretStoreRef:
    {{- toYaml $external.storeRef | nindent 4 }}
  target:
    name: {{ $name }}
    template:
      type: {{ $type }}
      mergePolicy: Merge
      metadata:
        labels:
          cnpg.io/reload: "true"
  data:
    {{- range $key := $keys }}
    - secretKey: {{ $key }}
      remoteRef:
        key: {{ $external.remotePrefix }}{{ $name }}
        property: {{ $key }}
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
