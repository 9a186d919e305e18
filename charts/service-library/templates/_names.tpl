{{/* The name of the chart's objects in a release. */}}
{{- define "service.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* Selector labels of Services and policies; immutable for the lifetime of a release. */}}
{{- define "service.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "service.labels" -}}
{{ include "service.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: malipo
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* `sandbox` or `live`: `global.mode`, or this chart's `mode`. */}}
{{- define "service.mode" -}}
{{ (.Values.global).mode | default .Values.mode }}
{{- end }}

{{- define "service.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The name of the service's CloudNativePG Cluster. */}}
{{- define "service.cluster" -}}
{{ include "service.fullname" . }}-db
{{- end }}

{{/* The Secret with the credentials of the service's database role. */}}
{{- define "service.databaseSecret" -}}
{{- if eq .Values.database.kind "external" -}}
{{ required "database.external.existingSecret is required: the Secret with the database's credentials" .Values.database.external.existingSecret }}
{{- else -}}
{{ .Values.database.serviceSecret | default (printf "%s-service" (include "service.cluster" .)) }}
{{- end -}}
{{- end }}

{{/* The Secret with the credentials of the database owner, for migrations. */}}
{{- define "service.ownerSecret" -}}
{{- if eq .Values.database.kind "external" -}}
{{ .Values.database.external.ownerSecret | default (include "service.databaseSecret" .) }}
{{- else -}}
{{ include "service.cluster" . }}-app
{{- end -}}
{{- end }}
