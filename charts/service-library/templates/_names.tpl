{{/*
The prefix of every name in a release: the release's name, if that is possible.

A Service's name is a DNS label of at most 63 characters that starts with a letter and has no dot (RFC 1035). Operators
and controllers append to names: the longest is the Job `<fullname>-db-<n>-full-recovery` of CloudNativePG, and 63
characters hold it if `<fullname>` has at most 42 and the prefix at most 33. A prefix that differs from the release's
name ends with a hash of that name, so two releases never share a prefix.
*/}}
{{- define "service.prefix" -}}
{{- $prefix := regexReplaceAll "^([0-9])" (replace "." "-" .Release.Name) "r-${1}" -}}
{{- $hashed := printf "%s-%s" ($prefix | trunc 26 | trimSuffix "-") (sha256sum .Release.Name | trunc 6) -}}
{{ ternary $hashed $prefix (or (gt (len $prefix) 33) (ne $prefix .Release.Name)) }}
{{- end }}

{{/* The name of a chart's objects in a release. */}}
{{- define "service.fullname" -}}
{{- $override := .Values.fullnameOverride -}}
{{- if and $override (not (regexMatch "^[a-z]([-a-z0-9]{0,40}[a-z0-9])?$" $override)) -}}
{{- fail (printf "%s: fullnameOverride is %q, but must have at most 42 lower-case letters, digits and dashes, and start with a letter" .Chart.Name $override) -}}
{{- end -}}
{{ $override | default (printf "%s-%s" (include "service.prefix" .) .Chart.Name) }}
{{- end }}

{{/* A version as a label or an image tag. Neither may contain the `+` of build metadata. */}}
{{- define "service.version" -}}
{{ regexReplaceAll "[-_.]+$" (. | replace "+" "_" | trunc 63) "" }}
{{- end }}

{{/* Selector labels of Services and policies; immutable for the lifetime of a release. */}}
{{- define "service.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "service.labels" -}}
{{ include "service.selectorLabels" . }}
app.kubernetes.io/version: {{ include "service.version" .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: malipo
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ include "service.version" (printf "%s-%s" .Chart.Name .Chart.Version) | quote }}
{{- end }}

{{/* `sandbox` or `live`: `global.mode`, or this chart's `mode`. */}}
{{- define "service.mode" -}}
{{ (.Values.global).mode | default .Values.mode }}
{{- end }}

{{/* A number of `--set image.tag=1234567` has all digits; a number of a file may have lost some, such as 1.10. */}}
{{- define "service.image" -}}
{{- $tag := .Values.image.tag -}}
{{- if kindIs "float64" $tag -}}
{{- fail (printf "%s: image.tag is the number %v: put it into quotes" .Chart.Name $tag) -}}
{{- end -}}
{{ .Values.image.repository }}:{{ $tag | toString | default (include "service.version" .Chart.AppVersion) }}
{{- end }}

{{/* The name of the service's CloudNativePG Cluster. */}}
{{- define "service.cluster" -}}
{{ include "service.fullname" . }}-db
{{- end }}

{{/* The Secret with the credentials of the service's database role. */}}
{{- define "service.databaseSecret" -}}
{{- if eq .Values.database.kind "external" -}}
{{ tpl (required "database.external.existingSecret is required: the Secret with the database's credentials" .Values.database.external.existingSecret) . }}
{{- else -}}
{{ include "service.secretName" (list . .Values.database.serviceSecret "database.serviceSecret" (printf "%s-service" (include "service.cluster" .))) }}
{{- end -}}
{{- end }}

{{/* The Secret with the credentials of the database owner, for migrations. */}}
{{- define "service.ownerSecret" -}}
{{- if eq .Values.database.kind "external" -}}
{{ tpl .Values.database.external.ownerSecret . | default (include "service.databaseSecret" .) }}
{{- else -}}
{{ include "service.cluster" . }}-app
{{- end -}}
{{- end }}
