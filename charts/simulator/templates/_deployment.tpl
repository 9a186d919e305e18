{{- define "simulator.deployment" -}}
{{- if ne (include "service.mode" .) "sandbox" -}}
{{- fail "simulator: no payer pays the simulator, so it installs only in mode sandbox: set simulator.enabled to false" -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "service.fullname" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  replicas: 1
  revisionHistoryLimit: 3
  # Only one process may have the book open.
  strategy:
    type: Recreate
  selector:
    matchLabels:
      {{- include "service.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "service.labels" . | nindent 8 }}
      annotations:
        checksum/config: {{ include "simulator.configMap" . | sha256sum | quote }}
    spec:
      {{- include "service.podSettings" . | nindent 6 }}
      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      # Longer than the slowest response, which takes 12 s.
      terminationGracePeriodSeconds: 25
      containers:
        - name: simulator
          {{- include "service.container" . | nindent 10 }}
          args:
            {{- range .Values.nodeOptions }}
            - {{ . | quote }}
            {{- end }}
            {{- if .Values.dev.enabled }}
            - --watch-path=dist
            - --watch-path=/app/packages/kit/dist
            {{- end }}
            - dist/main.js
          ports:
            - name: http
              containerPort: {{ .Values.service.port | int64 }}
          {{- if not .Values.dev.enabled }}
          livenessProbe:
            httpGet: { path: /health/live, port: http }
            {{- include "service.withoutNulls" .Values.probes.liveness | nindent 12 }}
          {{- end }}
          readinessProbe:
            httpGet: { path: /health/ready, port: http }
            {{- include "service.withoutNulls" .Values.probes.readiness | nindent 12 }}
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          volumeMounts:
            - name: accounts
              mountPath: /accounts
              readOnly: true
            - name: book
              mountPath: /book
      volumes:
        - name: accounts
          projected:
            defaultMode: 0440
            sources:
              - configMap:
                  name: {{ printf "%s-accounts" (include "service.fullname" .) | quote }}
              - secret:
                  name: {{ include "simulator.secretName" . | quote }}
        - name: book
          {{- if .Values.book.persistent }}
          persistentVolumeClaim:
            claimName: {{ include "service.fullname" . | quote }}
          {{- else }}
          emptyDir:
            sizeLimit: {{ .Values.book.size | quote }}
          {{- end }}
{{- end }}
