{{/* In sandbox mode a payment is created and read. In live mode only calls without side effects are made. */}}
{{- define "payments.test" -}}
expect('request without a token', await call(`${url}/api/payments`), 401)
expect('request with an invalid token', await call(`${url}/api/payments`, undefined, 'a.b.c'), 401)
{{- if eq (include "service.mode" .) "sandbox" }}
const auth = {{ tpl .Values.authUrl . | quote }}
const digits = String(Date.now()).slice(-7)
const email = `helm-test-pay-${digits}@example.com`
const login = { phone: `+25678${digits}`, password: crypto.randomUUID() }
expect('register', await call(`${auth}/api/auth/register`, { ...login, email }), 201)
const { access_token: token } = await (await call(`${auth}/api/auth/login`, login)).json()
const payment = {
  amount: 5000, currency: 'UGX', paymentMethod: 'MOBILE_MONEY', customerPhone: login.phone, customerEmail: email,
}
const created = await call(`${url}/api/payments`, payment, token)
expect('create a payment', created, 201)
const { reference } = await created.json()
expect('get the payment', await call(`${url}/api/payments/${reference}`, undefined, token), 200)
{{- end }}
{{- end }}
