{{/*
`helm test`: a Node.js program that calls the Service as a client would. It runs in the service's image, which has no
shell. `<chart>.test` contains the calls of each chart.
*/}}
{{- define "service.testProgram" -}}
const url = 'http://{{ include "service.fullname" . }}:{{ .Values.service.port | int64 }}'
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
      // NetworkPolicies apply to a new pod after a moment, on each node separately. Until then connections are
      // refused, so the request was not sent and can be retried.
      if (error.cause?.code !== 'ECONNREFUSED' || tries === 60) throw error
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}
const expect = (step, { status }, expected) => {
  console.log(`${step}: ${status}`)
  if (status !== expected) process.exit(1)
}
expect('health', await call(`${url}/health/ready`), 200)
{{ include (printf "%s.test" .Chart.Name) . }}
{{- end }}

{{- define "service.test" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ printf "%s-test" (include "service.fullname" .) | quote }}
  labels:
    app.kubernetes.io/instance: {{ .Release.Name | quote }}
    app.kubernetes.io/component: test
    app.kubernetes.io/part-of: malipo
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  {{- include "service.podSettings" . | nindent 2 }}
  activeDeadlineSeconds: 120
  containers:
    - name: test
      image: {{ include "service.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
      args: [--input-type=module, --eval, {{ include "service.testProgram" . | quote }}]
      securityContext:
        {{- include "service.containerSecurity" . | nindent 8 }}
      resources:
        {{- toYaml .Values.testResources | nindent 8 }}
{{- end }}
