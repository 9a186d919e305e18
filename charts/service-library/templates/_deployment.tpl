{{- define "service.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "service.fullname" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas | int64 }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "service.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "service.labels" . | nindent 8 }}
        {{- with .Values.podLabels }}
        {{- include "service.strings" . | nindent 8 }}
        {{- end }}
      annotations:
        # A changed setting rolls the pods. A rotated password does not: it is read from its file.
        checksum/config: {{ include "service.config" . | sha256sum | quote }}
        {{- with .Values.podAnnotations }}
        {{- include "service.strings" . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "service.pod" . | nindent 6 }}
{{- end }}

{{- define "service.pod" -}}
{{ include "service.podSettings" . }}
# Longer than the longest drain (four times `drainMs`) plus the longest wait of a request for the database.
terminationGracePeriodSeconds: {{ add (div (add (mul 4 .Values.shutdown.drainMs) .Values.database.waitMs) 1000) 10 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- include "service.stringsExcept" (list . (list "weight")) | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . | quote }}
    maxSkew: 1
    whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable | quote }}
    labelSelector:
      matchLabels:
        {{- include "service.selectorLabels" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
initContainers:
  # Migrates before the new version serves traffic. Of pods that start concurrently, one migrates and the others wait.
  - name: migrate
    {{- include "service.container" . | nindent 4 }}
    args: [dist/migrate.js]
    env:
      {{- include "service.ownerEnv" . | nindent 6 }}
      - name: DB_SERVICE_ROLE
        valueFrom:
          secretKeyRef:
            name: {{ include "service.databaseSecret" . | quote }}
            key: username
    resources:
      {{- toYaml .Values.migrationResources | nindent 6 }}
    volumeMounts:
      - name: owner
        mountPath: /secrets/database
        readOnly: true
      {{- include "service.extraMounts" . | nindent 6 }}
containers:
  - name: {{ .Chart.Name | quote }}
    {{- include "service.container" . | nindent 4 }}
    args:
      {{- range .Values.nodeOptions }}
      - {{ . | quote }}
      {{- end }}
      {{- if .Values.dev.enabled }}
      # Watch folders: if the program crashes on start, Node.js has not yet learned which files it imports.
      - --watch-path=dist
      - --watch-path=/app/packages/kit/dist
      {{- end }}
      - dist/main.js
    env:
      - name: DB_USERNAME
        valueFrom:
          secretKeyRef:
            name: {{ include "service.databaseSecret" . | quote }}
            key: username
      {{- include "service.redisEnv" . | nindent 6 }}
      {{- with .Values.tracing.headersSecret }}
      - name: OTEL_EXPORTER_OTLP_HEADERS
        valueFrom:
          secretKeyRef:
            name: {{ tpl . $ | quote }}
            key: {{ $.Values.tracing.headersKey | quote }}
      {{- end }}
    ports:
      - name: http
        containerPort: {{ .Values.service.port | int64 }}
    {{- if not .Values.dev.enabled }}
    startupProbe:
      httpGet: { path: /health/live, port: http }
      {{- include "service.withoutNulls" .Values.probes.startup | nindent 6 }}
    livenessProbe:
      httpGet: { path: /health/live, port: http }
      {{- include "service.withoutNulls" .Values.probes.liveness | nindent 6 }}
    {{- end }}
    readinessProbe:
      httpGet: { path: /health/ready, port: http }
      {{- include "service.withoutNulls" .Values.probes.readiness | nindent 6 }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    volumeMounts:
      {{- include "service.mounts" . | nindent 6 }}
      {{- with include (printf "%s.mounts" .Chart.Name) . }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- include "service.extraMounts" . | nindent 6 }}
volumes:
  - name: owner
    projected:
      defaultMode: 0440
      sources:
        {{- include "service.databaseFiles" (list . (include "service.ownerSecret" .)) | nindent 8 }}
  - name: database
    projected:
      defaultMode: 0440
      sources:
        {{- include "service.databaseFiles" (list . (include "service.databaseSecret" .)) | nindent 8 }}
  {{- include "service.volumes" . | nindent 2 }}
  {{- with include (printf "%s.volumes" .Chart.Name) . }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- include "service.extraVolumes" . | nindent 2 }}
{{- end }}

{{/* The role that owns the tables. */}}
{{- define "service.ownerEnv" -}}
- name: DB_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ include "service.ownerSecret" . | quote }}
      key: username
{{- if eq .Values.database.kind "cnpg" }}
# Jobs of the owner connect directly, so that they use no server connection of PgBouncer's pool.
- name: DB_HOST
  value: {{ printf "%s-rw" (include "service.cluster" .) | quote }}
{{- end }}
{{- end }}

{{/* Each volume has its own folder: the kubelet updates whole volumes, but not files mounted by subPath. */}}
{{- define "service.mounts" -}}
- name: database
  mountPath: /secrets/database
  readOnly: true
{{- if or .Values.redis.existingSecret .Values.redis.sentinelSecret .Values.redis.caSecret }}
- name: redis
  mountPath: /secrets/redis
  readOnly: true
{{- end }}
- name: service
  mountPath: /secrets/service
  readOnly: true
{{- end }}

{{- define "service.volumes" -}}
{{- if or .Values.redis.existingSecret .Values.redis.sentinelSecret .Values.redis.caSecret -}}
- name: redis
  projected:
    defaultMode: 0440
    sources:
      {{- include "service.redisFiles" . | nindent 6 }}
{{ end -}}
- name: service
  projected:
    defaultMode: 0440
    sources:
      {{- include (printf "%s.files" .Chart.Name) . | nindent 6 }}
{{- end }}

{{/* Files of Redis: the passwords of Redis and of its Sentinels, and the CA certificate. */}}
{{- define "service.redisFiles" -}}
{{- $redis := .Values.redis -}}
{{- with $redis.existingSecret }}
- secret:
    name: {{ tpl . $ | quote }}
    items: [{ key: {{ $redis.passwordKey | quote }}, path: password }]
{{- end }}
{{- if $redis.sentinelSecret }}
- secret:
    name: {{ tpl $redis.sentinelSecret . | quote }}
    items: [{ key: {{ $redis.sentinelPasswordKey | quote }}, path: sentinel-password }]
{{- end }}
{{- with $redis.caSecret }}
- secret:
    name: {{ tpl . $ | quote }}
    items: [{ key: ca.crt, path: ca.crt }]
{{- end }}
{{- end }}

{{/* Files of a database role: its password and the CA certificate. Arguments: the root context and a Secret's name. */}}
{{- define "service.databaseFiles" -}}
{{- $root := index . 0 -}}
{{- $external := $root.Values.database.external -}}
- secret:
    name: {{ index . 1 | quote }}
    items: [{ key: {{ ternary "password" $external.passwordKey (eq $root.Values.database.kind "cnpg") | quote }}, path: password }]
{{- if eq $root.Values.database.kind "cnpg" }}
- secret:
    name: {{ printf "%s-ca" (include "service.cluster" $root) | quote }}
    items: [{ key: ca.crt, path: ca.crt }]
{{- else if $external.tls.caSecret }}
- secret:
    name: {{ tpl $external.tls.caSecret $root | quote }}
    items: [{ key: ca.crt, path: ca.crt }]
{{- end }}
{{- end }}
