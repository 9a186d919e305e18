{{/* Alerts on the edge, in few words; see the library's `service.rules`. */}}
{{- define "platform.alerts" -}}
- alert: CertificateNearItsEnd
  severity: ticket
  summary: "The certificate <name> ends in <duration>"
  expr: |
    certmanager_certificate_expiration_timestamp_seconds{namespace={{ .Release.Namespace | quote }},name={{ .Values.edge.ingress.tlsSecret | quote }}} - time()
    < {{ int64 .Values.monitoring.certificates.leftSeconds }}
{{- end }}
