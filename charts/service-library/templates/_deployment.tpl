{{- define "service.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "service.fullname" . }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas }}
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
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        # A changed setting rolls the pods. A rotated password does not: it is read from its file.
        checksum/config: {{ include "service.config" . | sha256sum }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "service.pod" . | nindent 6 }}
{{- end }}

{{- define "service.pod" -}}
serviceAccountName: {{ include "service.fullname" . }}
automountServiceAccountToken: false
enableServiceLinks: false
# Longer than the longest drain (four times `drainMs`) plus the longest wait of a request for the database.
terminationGracePeriodSeconds: {{ add (div (add (mul 4 .Values.shutdown.drainMs) .Values.database.waitMs) 1000) 10 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "service.selectorLabels" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
initContainers:
  # Migrates before the new version serves traffic. Of pods that start concurrently, one migrates and the others wait.
  - name: migrate
    image: {{ include "service.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: [dist/migrate.js]
    envFrom:
      - configMapRef:
          name: {{ include "service.fullname" . }}
    env:
      {{- include "service.ownerEnv" . | nindent 6 }}
      - name: DB_SERVICE_ROLE
        valueFrom:
          secretKeyRef:
            name: {{ include "service.databaseSecret" . }}
            key: username
    securityContext:
      {{- include "service.containerSecurity" . | nindent 6 }}
    resources:
      {{- toYaml .Values.migrationResources | nindent 6 }}
    volumeMounts:
      - name: owner
        mountPath: /secrets/database
        readOnly: true
containers:
  - name: {{ .Chart.Name }}
    image: {{ include "service.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
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
    envFrom:
      - configMapRef:
          name: {{ include "service.fullname" . }}
    env:
      - name: DB_USERNAME
        valueFrom:
          secretKeyRef:
            name: {{ include "service.databaseSecret" . }}
            key: username
      {{- with .Values.tracing.headersSecret }}
      - name: OTEL_EXPORTER_OTLP_HEADERS
        valueFrom:
          secretKeyRef:
            name: {{ . }}
            key: {{ $.Values.tracing.headersKey }}
      {{- end }}
    ports:
      - name: http
        containerPort: {{ .Values.service.port }}
    {{- if not .Values.dev.enabled }}
    startupProbe:
      httpGet: { path: /health/live, port: http }
      periodSeconds: 1
      failureThreshold: 60
    livenessProbe:
      httpGet: { path: /health/live, port: http }
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    {{- end }}
    readinessProbe:
      httpGet: { path: /health/ready, port: http }
      periodSeconds: 2
      timeoutSeconds: 3
      failureThreshold: 2
    securityContext:
      {{- include "service.containerSecurity" . | nindent 6 }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    volumeMounts:
      {{- include "service.mounts" . | nindent 6 }}
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
{{- end }}

{{/* The role that owns the tables. */}}
{{- define "service.ownerEnv" -}}
- name: DB_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ include "service.ownerSecret" . }}
      key: username
{{- if eq .Values.database.kind "cnpg" }}
# Session-level advisory locks don't work through PgBouncer, so migrations connect directly.
- name: DB_HOST
  value: {{ include "service.cluster" . }}-rw
{{- end }}
{{- end }}

{{- define "service.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: {{ not .Values.dev.enabled }}
capabilities:
  drop: [ALL]
{{- end }}

{{/* Each volume has its own folder: the kubelet updates whole volumes, but not files mounted by subPath. */}}
{{- define "service.mounts" -}}
- name: database
  mountPath: /secrets/database
  readOnly: true
{{- if or .Values.redis.existingSecret .Values.redis.caSecret }}
- name: redis
  mountPath: /secrets/redis
  readOnly: true
{{- end }}
- name: service
  mountPath: /secrets/service
  readOnly: true
{{- end }}

{{- define "service.volumes" -}}
{{- if or .Values.redis.existingSecret .Values.redis.caSecret -}}
- name: redis
  projected:
    defaultMode: 0440
    sources:
      {{- with .Values.redis.existingSecret }}
      - secret:
          name: {{ tpl . $ }}
          items: [{ key: {{ $.Values.redis.passwordKey }}, path: password }]
      {{- end }}
      {{- with .Values.redis.caSecret }}
      - secret:
          name: {{ tpl . $ }}
          items: [{ key: ca.crt, path: ca.crt }]
      {{- end }}
{{ end -}}
- name: service
  projected:
    defaultMode: 0440
    sources:
      {{- include (printf "%s.files" .Chart.Name) . | nindent 6 }}
{{- end }}

{{/* Files of a database role: its password and the CA certificate. Arguments: the root context and a Secret's name. */}}
{{- define "service.databaseFiles" -}}
{{- $root := index . 0 -}}
- secret:
    name: {{ index . 1 }}
    items: [{ key: {{ $root.Values.database.external.passwordKey }}, path: password }]
{{- if eq $root.Values.database.kind "cnpg" }}
- secret:
    name: {{ include "service.cluster" $root }}-ca
    items: [{ key: ca.crt, path: ca.crt }]
{{- else if $root.Values.database.external.tls.caSecret }}
- secret:
    name: {{ $root.Values.database.external.tls.caSecret }}
    items: [{ key: ca.crt, path: ca.crt }]
{{- end }}
{{- end }}
