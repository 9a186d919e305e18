{{/*
`helm test`: a small program in the service's own image (it has no shell) that asks the Service as a client
would. Its source is the chart's `<chart>.test`.
*/}}
{{- define "service.test" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "service.fullname" . }}-test
  labels:
    app.kubernetes.io/instance: {{ .Release.Name }}
    app.kubernetes.io/component: test
    app.kubernetes.io/part-of: malipo
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  activeDeadlineSeconds: 120
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: test
      image: {{ include "service.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [--input-type=module, --eval, {{ include (printf "%s.test" .Chart.Name) . | quote }}]
      securityContext:
        {{- include "service.containerSecurity" . | nindent 8 }}
      resources:
        requests: { cpu: 50m, memory: 64Mi }
        limits: { memory: 128Mi }
{{- end }}
