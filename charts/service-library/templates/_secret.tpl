{{/*
A Secret whose values are made once and kept: a value that is there is read back, so an upgrade changes
nothing. `helm template` and GitOps tools can't read it back: they are given Secrets by name instead.
Takes a list: the root context, the Secret's name, its type, and a dict of keys to fresh values.
*/}}
{{- define "service.keptSecret" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $type := index . 2 -}}
{{- $fresh := index . 3 -}}
{{- $known := (lookup "v1" "Secret" $root.Release.Namespace $name).data | default dict -}}
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
  {{ $key }}: {{ get $known $key | default ($value | b64enc) }}
  {{- end }}
{{- end }}

{{/* The same Secret filled by External Secrets: `remote` maps keys to keys of the store. */}}
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

{{/* A Secret of either origin. */}}
{{- define "service.secret" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.externalSecrets.enabled -}}
{{ include "service.externalSecret" (list $root (index . 1) (index . 2) (keys (index . 3) | sortAlpha)) }}
{{- else -}}
{{ include "service.keptSecret" . }}
{{- end -}}
{{- end }}

{{/* The database role of the service itself: without a right to change the schema or the past. */}}
{{- define "service.databaseRoleSecret" -}}
{{- if and (eq .Values.database.kind "cnpg") (not .Values.database.serviceSecret) -}}
{{- $name := include "service.databaseSecret" . -}}
{{- $values := dict "username" (printf "%s_service" .Chart.Name) "password" (randAlphaNum 40) -}}
{{ include "service.secret" (list . $name "kubernetes.io/basic-auth" $values) }}
{{- end -}}
{{- end }}
