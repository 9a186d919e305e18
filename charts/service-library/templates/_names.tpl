{{/* The name of the chart's objects in a release. */}}
{{- define "service.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* What a Service and a policy find the pods by; never changes in the life of a release. */}}
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

{{/* `sandbox` or `live`: one word for the whole platform, or this chart's own. */}}
{{- define "service.mode" -}}
{{ (.Values.global).mode | default .Values.mode }}
{{- end }}

{{- define "service.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The CloudNativePG cluster of this service. */}}
{{- define "service.cluster" -}}
{{ include "service.fullname" . }}-db
{{- end }}

{{/* The Secret with the name and password that the service itself connects with. */}}
{{- define "service.databaseSecret" -}}
{{- if eq .Values.database.kind "external" -}}
{{ required "database.external.existingSecret names the Secret with the database's password" .Values.database.external.existingSecret }}
{{- else -}}
{{ .Values.database.serviceSecret | default (printf "%s-service" (include "service.cluster" .)) }}
{{- end -}}
{{- end }}

{{/* The Secret with the name and password that migrations connect with. */}}
{{- define "service.ownerSecret" -}}
{{- if eq .Values.database.kind "external" -}}
{{ .Values.database.external.ownerSecret | default (include "service.databaseSecret" .) }}
{{- else -}}
{{ include "service.cluster" . }}-app
{{- end -}}
{{- end }}
