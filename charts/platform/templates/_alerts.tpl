{{/* Alerts on the edge, in the short form of the library's `service.rules`. */}}
{{- define "platform.alerts" -}}
- alert: CertificateExpiring
  severity: ticket
  summary: "The certificate <name> expires in <duration>"
  expr: |
    certmanager_certificate_expiration_timestamp_seconds{namespace={{ .Release.Namespace | quote }},name={{ tpl .Values.edge.ingress.tlsSecret . | quote }}} - time()
    < {{ int64 .Values.monitoring.certificates.remainingSeconds }}
{{- end }}
