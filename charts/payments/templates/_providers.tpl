{{/*
Accounts at providers. An account is a part of PROVIDERS_FILE with two additions. `secretName` is a Secret with the
account's files: each field `…File` of the account is a key of it, unless it is the absolute path of a file that other
volumes have. `egress` lists where payments may connect to for the account.

The pods read PROVIDERS_FILE and the credentials again when they change, so neither is a part of a checksum. The kubelet
does not update files that are mounted by subPath.
*/}}
{{- define "payments.providersFile" -}}
{{- $accounts := list -}}
{{- range $account := .Values.providers.accounts -}}
{{- $folder := printf "/secrets/providers/%s" (include "payments.accountName" $account) -}}
{{- $json := omit $account "secretName" "egress" | toJson -}}
{{- $withPaths := regexReplaceAll "\"(\\w+File)\":\"([^/])" $json (printf "\"${1}\":\"%s/${2}" $folder) -}}
{{- if and (ne $json $withPaths) (not $account.secretName) -}}
{{- fail (printf "providers.accounts: %s names keys of a Secret, so it needs secretName" $account.name) -}}
{{- end -}}
{{- $accounts = append $accounts ($withPaths | fromJson) -}}
{{- end -}}
{{ dict "defaultProvider" .Values.providers.defaultProvider "accounts" $accounts | toYaml }}
{{- end }}

{{/* The name of an account, which is part of the names of a folder and of a volume. */}}
{{- define "payments.accountName" -}}
{{- $name := .name | default "" | toString -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$" $name) -}}
{{- fail (printf "providers.accounts: the name %q must have at most 40 lower-case letters, digits and dashes, and start with a letter" $name) -}}
{{- end -}}
{{ $name }}
{{- end }}

{{- define "payments.providersConfigMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ printf "%s-providers" (include "service.fullname" .) | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
data:
  providers.yaml: |
    {{- include "payments.providersFile" . | nindent 4 }}
{{- end }}

{{/* The keys of callback URLs, if there are accounts. */}}
{{- define "payments.callbackKeys" -}}
{{- if and .Values.providers.accounts (not .Values.callbackKeys.existingSecret) -}}
{{- $values := dict .Values.callbackKeys.key (randAlphaNum 64) -}}
{{ include "service.secret" (list . (include "payments.callbackKeysSecret" .) "Opaque" $values) }}
{{- end -}}
{{- end }}

{{/* Mounts of the service's container and volumes of its pod, in addition to those of every service. */}}
{{- define "payments.mounts" -}}
- name: providers
  mountPath: /providers
  readOnly: true
- name: encryption-keys
  mountPath: /secrets/encryption
  readOnly: true
{{- range $account := .Values.providers.accounts }}
{{- if $account.secretName }}
- name: {{ printf "provider-%s" $account.name | quote }}
  mountPath: {{ printf "/secrets/providers/%s" $account.name | quote }}
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "payments.volumes" -}}
- name: providers
  configMap:
    name: {{ printf "%s-providers" (include "service.fullname" .) | quote }}
    defaultMode: 0440
- name: encryption-keys
  secret:
    secretName: {{ include "payments.encryptionKeysSecret" . | quote }}
    defaultMode: 0440
{{- range $account := .Values.providers.accounts }}
{{- with $account.secretName }}
- name: {{ printf "provider-%s" $account.name | quote }}
  secret:
    secretName: {{ tpl . $ | quote }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end }}

{{/*
Egress rules of the accounts. A NetworkPolicy does not know host names, so each account lists networks (`cidr`) or pods
(`podSelector`, `namespaceSelector`) with a `port`.
*/}}
{{- define "payments.providersEgress" -}}
{{- $rules := list -}}
{{- range $account := .Values.providers.accounts -}}
{{- range $egress := $account.egress -}}
{{- $peer := pick $egress "podSelector" "namespaceSelector" -}}
{{- if $egress.cidr -}}
{{- $_ := set $peer "ipBlock" (dict "cidr" $egress.cidr) -}}
{{- end -}}
{{- if or (not $peer) (not $egress.port) -}}
{{- fail (printf "providers.accounts: each egress of %s needs a port, and cidr, podSelector or namespaceSelector" $account.name) -}}
{{- end -}}
{{- $rules = append $rules (dict "port" $egress.port "to" (list $peer)) -}}
{{- end -}}
{{- end -}}
{{- range uniq $rules }}
- ports:
    {{- include "service.ports" (list .port) | nindent 4 }}
  to:
    {{- include "service.strings" .to | nindent 4 }}
{{- end }}
{{- end }}
