{{/* In the sandbox a user is registered and logs in; in live a refused login is all that leaves no trace. */}}
{{- define "auth.test" -}}
const url = 'http://{{ include "service.fullname" . }}:{{ .Values.service.port }}'
const call = (path, body, token) => fetch(url + path, {
  method: body ? 'POST' : 'GET',
  headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
  body: body && JSON.stringify(body),
})
const expect = async (what, answer, status) => {
  const { status: found } = await answer
  console.log(`${what}: ${found}`)
  if (found !== status) process.exit(1)
}
await expect('health', call('/health/ready'), 200)
const digits = String(Date.now()).slice(-7)
const user = { phone: `+25677${digits}`, email: `helm-test-${digits}@example.com`, password: crypto.randomUUID() }
await expect('a refused login', call('/api/auth/login', { ...user, email: undefined }), 401)
{{- if eq (include "service.mode" .) "sandbox" }}
await expect('register', call('/api/auth/register', user), 201)
const login = await call('/api/auth/login', { ...user, email: undefined })
const { access_token: token } = await login.json()
await expect('who am I', call('/api/auth/me', undefined, token), 200)
{{- end }}
{{- end }}
