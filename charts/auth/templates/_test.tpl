{{/* In the sandbox a user is registered and logs in; in live a refused login is all that leaves no trace. */}}
{{- define "auth.test" -}}
const digits = String(Date.now()).slice(-7)
const login = { phone: `+25677${digits}`, password: crypto.randomUUID() }
expect('a refused login', await call(`${url}/api/auth/login`, login), 401)
{{- if eq (include "service.mode" .) "sandbox" }}
const user = { ...login, email: `helm-test-${digits}@example.com` }
expect('register', await call(`${url}/api/auth/register`, user), 201)
const { access_token: token } = await (await call(`${url}/api/auth/login`, login)).json()
expect('who am I', await call(`${url}/api/auth/me`, undefined, token), 200)
{{- end }}
{{- end }}
