{{/*
All public routes: any other route is not reachable from outside. `exact` matches the whole path; `prefix` matches
a path and everything below it, where part of the path is an id.
*/}}
{{- define "platform.routes" -}}
auth:
  exact:
    - /api/auth/register
    - /api/auth/login
    - /api/auth/refresh
    - /api/auth/logout
    - /api/auth/password
    - /api/auth/me
    - /api/auth/sessions
    - /api/auth/audit
    - /.well-known/jwks.json
  prefix:
    - /api/auth/sessions/
    - /api/auth/users/
payments:
  exact:
    - /api/payments
  prefix:
    - /api/payments/
{{- end }}

{{- define "platform.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: malipo
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
