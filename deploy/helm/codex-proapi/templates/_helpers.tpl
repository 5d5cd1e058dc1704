{{- /* image (list ROOT NAME): the image of one of our services. */ -}}
{{- define "image" -}}
{{- $root := index . 0 -}}
{{- $image := printf "%s%s:%s" $root.Values.images.prefix (index . 1) ($root.Values.images.tag | default $root.Chart.AppVersion) -}}
{{- with get $root.Values.images.digests (index . 1) }}{{- $image = printf "%s@%s" $image . }}{{- end -}}
{{- $image -}}
{{- end -}}

{{- /* podAnnotations (list ROOT NAME): a changed setting rolls the pods; figures are found without an operator. */ -}}
{{- define "podAnnotations" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
annotations:
  {{- if eq $name "redis" }}
  checksum/settings: {{ $root.Files.Get "files/redis.conf" | sha256sum }}
  {{- else }}
  checksum/settings: {{ toJson $root.Values.settings | sha256sum }}
  {{- end }}
  {{- if $root.Values.monitoring.enabled }}
  prometheus.io/scrape: "true"
  prometheus.io/path: /metrics
  prometheus.io/port: {{ get (dict "gateway" "8080" "console" "8081" "redis" "9121") $name | quote }}
  {{- end }}
{{- end -}}
