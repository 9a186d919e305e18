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
    - /api/auth/keys
    - /.well-known/jwks.json
  prefix:
    - /api/auth/keys/
    - /api/auth/merchants/
    - /api/auth/sessions/
    - /api/auth/users/
payments:
  exact:
    - /api/payments
    - /api/attempts
    - /api/events
    - /api/provider-messages
    - /api/operator-actions
    - /api/webhook-endpoints
    - /api/notifications
  prefix:
    - /api/payments/
    - /api/attempts/
    - /api/provider-messages/
    - /api/webhook-endpoints/
    - /api/deliveries/
{{- end }}

{{/*
An Ingress with the routes whose path has a dot (`dotted`), or with the others.
Argument: a dict with the root context, the name, `dotted` and the annotations.
*/}}
{{- define "platform.ingress" -}}
{{- $root := .root -}}
{{- $dotted := .dotted -}}
{{- $edge := $root.Values.edge -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .name | quote }}
  labels:
    {{- include "service.labels" $root | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- include "service.strings" . | nindent 4 }}
  {{- end }}
spec:
  {{- with $edge.ingress.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  {{- with $edge.ingress.tlsSecret }}
  tls:
    - secretName: {{ tpl . $root | quote }}
      {{- with $edge.hosts }}
      hosts:
        {{- include "service.strings" . | nindent 8 }}
      {{- end }}
  {{- end }}
  rules:
    {{- range $host := $edge.hosts | default (list "") }}
    - http:
        paths:
          {{- range $service, $routes := include "platform.routes" $root | fromYaml }}
          {{- range $kind, $type := dict "exact" "Exact" "prefix" "Prefix" }}
          {{- range $path := get $routes $kind }}
          {{- if eq $dotted (contains "." $path) }}
          - path: {{ $path | quote }}
            pathType: {{ $type | quote }}
            backend:
              service:
                name: {{ include "service.fullname" (get $root.Subcharts $service) | quote }}
                port:
                  name: http
          {{- end }}
          {{- end }}
          {{- end }}
          {{- end }}
      {{- with $host }}
      host: {{ . | quote }}
      {{- end }}
    {{- end }}
{{- end }}
