{{/*
Sets the addresses and Secrets that the values leave empty: those of the services, the Redis and the simulator of this
release. Only this chart sees the names, ports and certificates of all of them, so it renders every object that contains
one.
*/}}
{{- define "platform.connect" -}}
{{- include "platform.checkNames" . -}}
{{- $auth := .Subcharts.auth -}}
{{- $payments := .Subcharts.payments.Values -}}
{{- $authPort := $auth.Values.service.port | int64 -}}
{{- if not $payments.authUrl -}}
{{- $_ := set $payments "authUrl" (printf "http://%s:%d" (include "service.fullname" $auth) $authPort) -}}
{{- $_ := set $payments.networkPolicy "authPort" $authPort -}}
{{- end -}}
{{- range list $auth .Subcharts.payments -}}
{{- $redis := .Values.redis -}}
{{- if and $.Values.redis.enabled (not $redis.url) (not $redis.sentinels) -}}
{{- $_ := set $redis "url" (include "redis.url" $.Subcharts.redis) -}}
{{- $_ := set $redis "existingSecret" (include "redis.secretName" $.Subcharts.redis) -}}
{{- $_ := set $redis "username" .Chart.Name -}}
{{- $_ := set $redis "passwordKey" (include "redis.passwordKey" .Chart.Name) -}}
{{- $_ := set $redis "caSecret" ($redis.caSecret | default $.Subcharts.redis.Values.tls.existingSecret) -}}
{{- end -}}
{{- end -}}
{{- if .Values.simulator.enabled -}}
{{- include "platform.connectSimulator" . -}}
{{- end -}}
{{- $servers := list (include "platform.redisServers" $auth) (include "platform.redisServers" .Subcharts.payments) -}}
{{- if gt (len (uniq (compact $servers))) 1 -}}
{{- fail (printf "auth.redis and payments.redis are different servers, %s: payments must receive the revocations that auth publishes" (join " and " $servers)) -}}
{{- end -}}
{{- end }}

{{/* Gives payments the accounts at the simulator, and admits its callbacks. */}}
{{- define "platform.connectSimulator" -}}
{{- $simulator := .Subcharts.simulator -}}
{{- $payments := .Subcharts.payments -}}
{{- $port := $payments.Values.service.port | int64 -}}
{{- if not $simulator.Values.paymentsUrl -}}
{{- $_ := set $simulator.Values "paymentsUrl" (printf "http://%s:%d" (include "service.fullname" $payments) $port) -}}
{{- $_ := set $simulator.Values.networkPolicy "paymentsPort" $port -}}
{{- end -}}
{{- $accounts := include "simulator.accounts" $simulator | fromYamlArray -}}
{{- $_ := set $payments.Values.providers "accounts" (concat $payments.Values.providers.accounts $accounts) -}}
{{- $peer := dict "podSelector" (dict "matchLabels" (include "service.selectorLabels" $simulator | fromYaml)) -}}
{{- $_ := set $payments.Values.networkPolicy "from" (append $payments.Values.networkPolicy.from $peer) -}}
{{- end }}

{{/* The addresses of a service's Redis, without credentials; empty without Redis. */}}
{{- define "platform.redisServers" -}}
{{- $redis := .Values.redis -}}
{{ join "," $redis.sentinels | default (regexReplaceAll "//.*@" (tpl $redis.url .) "//") }}
{{- end }}

{{/* Fails if overridden names give two objects the same name, since one would overwrite the other. */}}
{{- define "platform.checkNames" -}}
{{- $taken := dict -}}
{{- range $suffix := list "deny-all" "edge" "test" -}}
{{- $_ := set $taken (printf "%s-%s" (include "service.prefix" $) $suffix) "an object of the platform" -}}
{{- end -}}
{{- range $chart := keys .Subcharts | sortAlpha -}}
{{- with get $.Subcharts $chart -}}
{{- if hasKey .Values "fullnameOverride" -}}
{{- $value := printf "%s.fullnameOverride" $chart -}}
{{- $suffixes := ternary (list "" "-accounts") (list "" "-db" "-db-rw" "-db-ro" "-db-r" "-db-pooler" "-db-service" "-db-app" "-db-ca" "-retention" "-refresh-keys" "-token-cache-keys" "-callback-keys" "-encryption-keys" "-providers") (has $chart (list "redis" "simulator")) -}}
{{- range $suffix := $suffixes -}}
{{- $name := printf "%s%s" (include "service.fullname" (get $.Subcharts $chart)) $suffix -}}
{{- if hasKey $taken $name -}}
{{- fail (printf "%s gives %s to an object that has the name of another: %s. Choose another name" $value $name (get $taken $name)) -}}
{{- end -}}
{{- $_ := set $taken $name $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
