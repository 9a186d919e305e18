{{/* Settings of every pod that runs the service's image: replicas, jobs and tests. */}}
{{- define "service.podSettings" -}}
serviceAccountName: {{ include "service.fullname" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- include "service.pullSecrets" . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "service.withoutNulls" .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- include "service.strings" . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- include "service.tolerations" . | nindent 2 }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- include "service.strings" . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- include "service.strings" . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Image, security context and settings of every container that runs a program of the service. */}}
{{- define "service.container" -}}
image: {{ include "service.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
securityContext:
  {{- include "service.containerSecurity" . | nindent 2 }}
envFrom:
  - configMapRef:
      name: {{ include "service.fullname" . | quote }}
{{- end }}

{{- define "service.containerSecurity" -}}
{{- $development := ternary (dict "readOnlyRootFilesystem" false) (dict) .Values.dev.enabled -}}
{{ include "service.withoutNulls" (mergeOverwrite (dict) .Values.containerSecurityContext $development) }}
{{- end }}

{{/* The CA certificates and the volumes that a platform adds. */}}
{{- define "service.extraMounts" -}}
{{- if or .Values.caBundle.secret .Values.caBundle.configMap }}
- name: ca
  mountPath: /secrets/ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "service.extraVolumes" -}}
{{- $bundle := .Values.caBundle -}}
{{- if or $bundle.secret $bundle.configMap }}
- name: ca
  projected:
    defaultMode: 0440
    sources:
      {{- if $bundle.secret }}
      - secret:
      {{- else }}
      - configMap:
      {{- end }}
          name: {{ tpl ($bundle.secret | default $bundle.configMap) . | quote }}
          items: [{ key: {{ $bundle.key | quote }}, path: ca.crt }]
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
