{{/*
Values as YAML of the types that the API expects. `toYaml` quotes a string that YAML would read as another type, but
prints numbers and booleans as such, which the API rejects in labels, annotations, selectors and settings.
*/}}

{{/* A list or map with every scalar as a string, as YAML. */}}
{{- define "service.strings" -}}
{{ (include "service.stringify" (list . (list)) | fromJson).value | toYaml }}
{{- end }}

{{/* The same, except for the values of certain keys. Arguments: the value and the keys. */}}
{{- define "service.stringsExcept" -}}
{{ (include "service.stringify" . | fromJson).value | toYaml }}
{{- end }}

{{- define "service.tolerations" -}}
{{ include "service.stringsExcept" (list . (list "tolerationSeconds")) }}
{{- end }}

{{- define "service.stringify" -}}
{{- $value := index . 0 -}}
{{- $except := index . 1 -}}
{{- $result := $value -}}
{{- if kindIs "map" $value -}}
{{- $result = dict -}}
{{- range $key, $each := $value -}}
{{- if has $key $except -}}
{{- $_ := set $result $key $each -}}
{{- else if not (kindIs "invalid" $each) -}}
{{- $_ := set $result $key (include "service.stringify" (list $each $except) | fromJson).value -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "slice" $value -}}
{{- $result = list -}}
{{- range $each := $value -}}
{{- $result = append $result (include "service.stringify" (list $each $except) | fromJson).value -}}
{{- end -}}
{{- else -}}
{{- $result = include "service.string" $value -}}
{{- end -}}
{{ dict "value" $result | toJson }}
{{- end }}

{{/*
A scalar as a string. Helm reads the numbers of a values file as 64-bit floats: whole numbers are printed without an
exponent, and numbers that may have lost digits are rejected.
*/}}
{{- define "service.string" -}}
{{- if kindIs "float64" . -}}
{{- if or (gt . 9007199254740991.0) (lt . -9007199254740991.0) -}}
{{- fail (printf "the number %.0f may have lost digits: put it into quotes" .) -}}
{{- end -}}
{{- printf (ternary "%.0f" "%v" (eq . (floor .))) . -}}
{{- else -}}
{{- . | toString -}}
{{- end -}}
{{- end }}

{{/* A map without the keys whose value is null, as YAML. */}}
{{- define "service.withoutNulls" -}}
{{- $result := dict -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set $result $key $value -}}
{{- end -}}
{{- end -}}
{{ $result | toYaml }}
{{- end }}

{{/* References to Secrets by name, for `imagePullSecrets`. */}}
{{- define "service.pullSecrets" -}}
{{- range . }}
- name: {{ . | quote }}
{{- end }}
{{- end }}
