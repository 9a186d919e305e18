{{/*
`helm test`: a small program in the service's own image (it has no shell) that asks the Service as a client
would. What it asks is the chart's `<chart>.test`.
*/}}
{{- define "service.testProgram" -}}
const url = 'http://{{ include "service.fullname" . }}:{{ .Values.service.port }}'
const call = async (address, body, token) => {
  for (let tries = 0; ; tries++) {
    try {
      return await fetch(address, {
        method: body ? 'POST' : 'GET',
        headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(20_000),
      })
    } catch (error) {
      // A policy takes a moment to learn of a new pod, and not the same one on the way to each replica:
      // what is refused until then was never sent.
      if (error.cause?.code !== 'ECONNREFUSED' || tries === 60) throw error
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}
const expect = (what, { status: found }, status) => {
  console.log(`${what}: ${found}`)
  if (found !== status) process.exit(1)
}
expect('health', await call(`${url}/health/ready`), 200)
{{ include (printf "%s.test" .Chart.Name) . }}
{{- end }}

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
      args: [--input-type=module, --eval, {{ include "service.testProgram" . | quote }}]
      securityContext:
        {{- include "service.containerSecurity" . | nindent 8 }}
      resources:
        requests: { cpu: 50m, memory: 64Mi }
        limits: { memory: 128Mi }
{{- end }}
