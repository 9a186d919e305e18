{{/* Traffic with payments only. The port of the kubelet's probes and of `kubectl port-forward` is always open. */}}
{{- define "simulator.networkPolicy" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if $policy.enabled -}}
{{- include "service.requireNonEmpty" (dict "payments" $policy.payments) -}}
{{- $payments := tpl (include "service.strings" $policy.payments) . -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "service.fullname" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "service.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: http
      from:
        {{- $payments | nindent 8 }}
        {{- with $policy.from }}
        {{- include "service.strings" . | nindent 8 }}
        {{- end }}
  egress:
    {{- include "service.dns" . | nindent 4 }}
    - ports:
        {{- include "service.ports" (list $policy.paymentsPort) | nindent 8 }}
      to:
        {{- $payments | nindent 8 }}
{{- end -}}
{{- end }}
