{{/*
What notifications to merchants may reach. The service refuses every address that is not public, and those of
EGRESS_DENY_CIDRS; the NetworkPolicy is a second barrier.
*/}}
{{- define "payments.egressConfig" -}}
{{- if eq (include "service.mode" .) "live" -}}
{{- if not .Values.egress.denyCidrs -}}
{{- fail "egress.denyCidrs is required in mode live: list the ranges of pods, Services and nodes, such as [10.244.0.0/16, 10.96.0.0/12, 172.18.0.0/16], which notifications to merchants must never reach" -}}
{{- end -}}
{{- if .Values.notifications.allowHosts -}}
{{- fail "notifications.allowHosts must be empty in mode live" -}}
{{- end -}}
{{- end -}}
{{- with .Values.egress.denyCidrs }}
EGRESS_DENY_CIDRS: {{ join "," . | quote }}
{{- end }}
{{- with .Values.egress.nat64Prefix }}
NAT64_PREFIX: {{ . | quote }}
{{- end }}
{{- with .Values.notifications.proxyUrl }}
WEBHOOK_PROXY_URL: {{ . | quote }}
{{- end }}
{{- with .Values.notifications.allowHosts }}
WEBHOOK_ALLOW_HOSTS: {{ join "," . | quote }}
{{- end }}
{{- end }}

{{/*
Networks of a family that are not public, and the denied ones. A policy does not know which IPv4 address a NAT64 address
stands for: the well-known prefix is left open, except for the private networks in it.
*/}}
{{- define "payments.internalCidrs" -}}
{{- $isIpv6 := index . 1 -}}
{{- $cidrs := list "0.0.0.0/8" "10.0.0.0/8" "100.64.0.0/10" "127.0.0.0/8" "168.63.129.16/32" "169.254.0.0/16" "172.16.0.0/12" "192.0.0.0/24" "192.0.2.0/24" "192.88.99.0/24" "192.168.0.0/16" "198.18.0.0/15" "198.51.100.0/24" "203.0.113.0/24" "224.0.0.0/4" "240.0.0.0/4" -}}
{{- if $isIpv6 -}}
{{- $cidrs = list "::/96" "64:ff9b::a00:0/104" "64:ff9b::6440:0/106" "64:ff9b::7f00:0/104" "64:ff9b::a83f:8110/128" "64:ff9b::a9fe:0/112" "64:ff9b::ac10:0/108" "64:ff9b::c0a8:0/112" "64:ff9b:1::/48" "100::/64" "2001::/23" "2001:db8::/32" "2002::/16" "3fff::/20" "fc00::/7" "fe80::/10" "fec0::/10" "ff00::/8" -}}
{{- end -}}
{{- range (index . 0).Values.egress.denyCidrs -}}
{{- if eq (contains ":" .) $isIpv6 -}}
{{- $cidrs = append $cidrs (ternary . (printf "%s/%s" . (ternary "128" "32" $isIpv6)) (contains "/" .)) -}}
{{- end -}}
{{- end -}}
{{ uniq $cidrs | toYaml }}
{{- end }}

{{/* Egress rules of notifications. */}}
{{- define "payments.notificationsEgress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if .Values.notifications.enabled -}}
{{- if .Values.notifications.proxyUrl -}}
{{- include "service.requireNonEmpty" (dict "notificationProxy" $policy.notificationProxy "notificationProxyPorts" $policy.notificationProxyPorts) }}
- ports:
    {{- include "service.ports" $policy.notificationProxyPorts | nindent 4 }}
  to:
    {{- include "service.strings" $policy.notificationProxy | nindent 4 }}
{{- else }}
- ports:
    - port: 443
    - port: 1024
      endPort: 65535
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
          {{- include "payments.internalCidrs" (list . false) | nindent 10 }}
    - ipBlock:
        cidr: ::/0
        except:
          {{- include "payments.internalCidrs" (list . true) | nindent 10 }}
{{- end }}
{{- end }}
{{- end }}
