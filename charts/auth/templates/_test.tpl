{{/* In sandbox mode a user registers and logs in. In live mode only calls without side effects are made. */}}
{{- define "auth.test" -}}
const digits = String(Date.now()).slice(-7)
const login = { phone: `+25677${digits}`, password: crypto.randomUUID() }
expect('login with unknown credentials', await call(`${url}/api/auth/login`, login), 401)
{{- if eq (include "service.mode" .) "sandbox" }}
const user = { ...login, email: `helm-test-${digits}@example.com` }
expect('register', await call(`${url}/api/auth/register`, user), 201)
const { access_token: token } = await (await call(`${url}/api/auth/login`, login)).json()
expect('get the own account', await call(`${url}/api/auth/me`, undefined, token), 200)
{{- end }}
{{- end }}
