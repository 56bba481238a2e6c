{{/* Names and labels. */}}

{{- define "codeio.fullname" -}}
{{- $name := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{- /* Names of Services have no dots, and with the longest component and a hash behind it 63 characters. */ -}}
{{- $name | replace "." "-" | trunc 38 | trimSuffix "-" -}}
{{- end }}

{{/* Labels by which pods are selected; they never change. Takes (root, component). */}}
{{- define "codeio.selector" -}}
app.kubernetes.io/name: codeio
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "codeio.labels" -}}
{{- $root := index . 0 -}}
{{ include "codeio.selector" . }}
app.kubernetes.io/part-of: codeio
app.kubernetes.io/version: {{ mustRegexReplaceAllLiteral "[^A-Za-z0-9._-]" ($root.Values.image.tag | default $root.Chart.AppVersion) "_" | trunc 63 | trimAll "._-" | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* metadata of an object. Takes (root, component) or (root, component, suffix of the name). */}}
{{- define "codeio.metadata" -}}
{{- $root := index . 0 -}}
{{- $suffix := len . | eq 3 | ternary (last .) (index . 1) -}}
name: {{ include "codeio.fullname" $root }}{{ with $suffix }}-{{ . }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "codeio.labels" (list $root (index . 1)) | nindent 2 }}
{{- end }}

{{/* Takes (root, what is behind the prefix). */}}
{{- define "codeio.image" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.global.imageRegistry }}{{ . }}/{{ end -}}
{{ $root.Values.image.prefix }}-{{ index . 1 }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* The services: their names here and in values, and what they are. As YAML; read by fromYaml. */}}
{{- define "codeio.services" -}}
normalizer: {values: normalizer, group: codeio.normalizer, topics: [codeio.raw-files]}
executor: {values: executor, group: codeio.executor, topics: [codeio.programs]}
cot-generator: {values: cotGenerator, group: codeio.cot-generator, topics: [codeio.revisions, codeio.tasks]}
verifier: {values: verifier, group: codeio.verifier, topics: [codeio.attempts]}
trainer-launcher: {values: trainerLauncher, topics: []}
{{- end }}

{{/* Non-empty where a service runs programs: a launcher alone does not. */}}
{{- define "codeio.usesSandbox" -}}
{{- range include "codeio.services" . | fromYaml -}}
{{- $own := index $.Values .values -}}
{{- if and $own.enabled $own.slots }}yes{{ end -}}
{{- end -}}
{{- end }}

{{/* Non-empty where a service asks the teacher. Takes (root, name of the service). */}}
{{- define "codeio.asksTeacher" -}}
{{- $values := (index . 0).Values -}}
{{- if or $values.teacher.baseUrl $values.teacher.endpoints -}}
{{- if eq (index . 1) "cot-generator" }}yes{{ end -}}
{{- if and (eq (index . 1) "normalizer") (ne $values.normalizer.mode "static") }}yes{{ end -}}
{{- end -}}
{{- end }}

{{/* Non-empty where a Job of ours makes the topics. */}}
{{- define "codeio.runsTopics" -}}
{{- $topics := .Values.kafka.topics -}}
{{- if and (include "codeio.bootstrapServers" .) $topics.apply (not $topics.strimzi.enabled) }}yes{{ end -}}
{{- end }}

{{/* Non-empty where something else than values says how many replicas there are. */}}
{{- define "codeio.scaled" -}}
{{- if or .Values.autoscaling.keda.enabled .Values.autoscaling.hpa.enabled }}yes{{ end -}}
{{- end }}

{{- define "codeio.bootstrapServers" -}}
{{- if .Values.kafka.embedded.enabled -}}
{{ include "codeio.fullname" . }}-kafka.{{ .Release.Namespace }}.svc:9092
{{- else }}{{ .Values.kafka.bootstrapServers }}{{ end -}}
{{- end }}
