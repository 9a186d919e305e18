{{/* In the sandbox a payment is made and read back; in live a refused token is all that leaves no trace. */}}
{{- define "payments.test" -}}
const url = 'http://{{ include "service.fullname" . }}:{{ .Values.service.port }}'
const auth = '{{ tpl .Values.authUrl . }}'
const call = (address, body, token) => fetch(address, {
  method: body ? 'POST' : 'GET',
  headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
  body: body && JSON.stringify(body),
})
const expect = (what, { status: found }, status) => {
  console.log(`${what}: ${found}`)
  if (found !== status) process.exit(1)
}
expect('health', await call(url + '/health/ready'), 200)
expect('no token', await call(url + '/api/payments'), 401)
expect('a token that nobody made', await call(url + '/api/payments', undefined, 'a.b.c'), 401)
{{- if eq (include "service.mode" .) "sandbox" }}
const digits = String(Date.now()).slice(-7)
const user = { phone: `+25678${digits}`, password: crypto.randomUUID() }
expect('register', await call(auth + '/api/auth/register', { ...user, email: `pay-${digits}@example.com` }), 201)
const { access_token: token } = await (await call(auth + '/api/auth/login', user)).json()
const made = await call(url + '/api/payments', {
  amount: 5000, currency: 'UGX', paymentMethod: 'MOBILE_MONEY',
  customerPhone: user.phone, customerEmail: `pay-${digits}@example.com`,
}, token)
expect('pay', made, 201)
const { reference } = await made.json()
expect('read it back', await call(`${url}/api/payments/${reference}`, undefined, token), 200)
{{- end }}
{{- end }}
