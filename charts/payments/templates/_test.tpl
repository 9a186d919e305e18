{{/* In the sandbox a payment is made and read back; in live a refused token is all that leaves no trace. */}}
{{- define "payments.test" -}}
expect('no token', await call(`${url}/api/payments`), 401)
expect('a token that nobody made', await call(`${url}/api/payments`, undefined, 'a.b.c'), 401)
{{- if eq (include "service.mode" .) "sandbox" }}
const auth = '{{ tpl .Values.authUrl . }}'
const digits = String(Date.now()).slice(-7)
const email = `helm-test-pay-${digits}@example.com`
const login = { phone: `+25678${digits}`, password: crypto.randomUUID() }
expect('register', await call(`${auth}/api/auth/register`, { ...login, email }), 201)
const { access_token: token } = await (await call(`${auth}/api/auth/login`, login)).json()
const payment = {
  amount: 5000, currency: 'UGX', paymentMethod: 'MOBILE_MONEY', customerPhone: login.phone, customerEmail: email,
}
const made = await call(`${url}/api/payments`, payment, token)
expect('pay', made, 201)
const { reference } = await made.json()
expect('read it back', await call(`${url}/api/payments/${reference}`, undefined, token), 200)
{{- end }}
{{- end }}
