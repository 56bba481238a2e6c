{{/* Settings of codeio as environment variables, so that `kubectl exec` has them too.

CODEIO_SECTION__NAME is the setting; what is no text is JSON. Secrets are files. */}}

{{- define "codeio.kafkaSettings" -}}
{{- $kafka := .Values.kafka -}}
bootstrap_servers: {{ include "codeio.bootstrapServers" . | quote }}
prefix: {{ $kafka.prefix | quote }}
partitions: {{ int $kafka.partitions }}
replicas: {{ $kafka.embedded.enabled | ternary 1 (int $kafka.replicas) }}
security_protocol: {{ $kafka.securityProtocol }}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
sasl_mechanism: {{ $kafka.saslMechanism }}
username: {{ $kafka.username | quote }}
password_file: /etc/codeio/kafka/password
{{- end }}
{{- if $kafka.tls.existingSecret }}
ca_file: /etc/codeio/kafka-tls/ca.crt
{{- if $kafka.tls.clientCertificate }}
certificate_file: /etc/codeio/kafka-tls/tls.crt
key_file: /etc/codeio/kafka-tls/tls.key
{{- end }}
{{- end }}
{{- end }}

{{- define "codeio.teacherSettings" -}}
{{- $teacher := .Values.teacher -}}
kind: openai
model: {{ $teacher.model | quote }}
{{- if $teacher.baseUrl }}
base_url: {{ $teacher.baseUrl | quote }}
{{- if $teacher.existingSecret }}
api_key_file: /etc/codeio/teacher/api-key
{{- end }}
{{- else }}
endpoints:
{{- range $name, $endpoint := $teacher.endpoints }}
- base_url: {{ $endpoint.baseUrl | quote }}
  model: {{ $endpoint.model | default "" | quote }}
  weight: {{ $endpoint.weight | default 1 }}
  {{- if $endpoint.existingSecret }}
  api_key_file: /etc/codeio/teacher-{{ $name }}/api-key
  {{- end }}
{{- end }}
{{- end }}
{{- if not $teacher.storeExistingSecret }}
store: /var/lib/codeio/responses.sqlite
{{- end }}
{{- end }}

{{/* What the launcher gives the pods of training runs. */}}
{{- define "codeio.launcherSettings" -}}
{{- $trainer := .Values.trainerLauncher.trainer -}}
{{- $verifier := .Values.trainerLauncher.verifier -}}
namespace: {{ .Release.Namespace }}
image: {{ $trainer.image | default (include "codeio.image" (list . "trainer")) | quote }}
image_pull_policy: {{ .Values.image.pullPolicy }}
image_pull_secrets: {{ toJson .Values.global.imagePullSecrets }}
service_account: {{ include "codeio.fullname" . }}-trainer
{{- if .Values.verifier.enabled }}
verifier_address: {{ include "codeio.fullname" . }}-verifier.{{ .Release.Namespace }}.svc:50051
{{- end }}
verifier_token_secret: {{ $verifier.tokenExistingSecret | quote }}
verifier_tls_secret: {{ $verifier.tls.existingSecret | quote }}
verifier_client_certificate: {{ $verifier.tls.clientCertificate }}
# By them the policies below know the pods.
labels: {{ merge (include "codeio.labels" (list . "trainer") | fromYaml) $trainer.labels | toJson }}
{{- end }}

{{- define "codeio.serverSettings" -}}
{{- $server := .Values.server -}}
host: 0.0.0.0
{{- if $server.tls.existingSecret }}
# Probes speak no TLS.
health_port: 50053
tls_certificate: /etc/codeio/tls/tls.crt
tls_key: /etc/codeio/tls/tls.key
{{- if $server.tls.clientCa }}
tls_client_ca: /etc/codeio/tls/ca.crt
{{- end }}
{{- end }}
{{- if $server.tokens.existingSecret }}
tokens_file: /etc/codeio/tokens/tokens.yaml
{{- end }}
{{- end }}

{{/* A mapping of sections as `name: value` lines of a ConfigMap. Takes the mapping. */}}
{{- define "codeio.variables" -}}
{{- range $section, $settings := . }}
{{- if kindIs "map" $settings }}
{{- range $name, $value := $settings }}
CODEIO_{{ upper $section }}__{{ upper $name }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- else }}
CODEIO_{{ upper $section }}: {{ toJson $settings | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Settings of one service. Takes (root, name). */}}
{{- define "codeio.serviceVariables" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $service := index (include "codeio.services" $root | fromYaml) $name -}}
{{- $own := index $root.Values $service.values -}}
{{- $settings := dict
  "server" (include "codeio.serverSettings" $root | fromYaml)
  "telemetry" (dict "log_format" "json") -}}
{{- if $own.slots -}}
{{- $_ := set $settings "sandbox" (dict
  "backend" "remote"
  "address" (printf "%s-sandbox.%s.svc:50052" (include "codeio.fullname" $root) $root.Release.Namespace)
  "workers" (int $own.slots)) -}}
{{- end -}}
{{- if $service.group -}}
{{- $_ := set $settings "kafka" (include "codeio.kafkaSettings" $root | fromYaml) -}}
{{- end -}}
{{- if include "codeio.asksTeacher" . -}}
{{- $_ := set $settings "teacher" (include "codeio.teacherSettings" $root | fromYaml) -}}
{{- end -}}
{{- if eq $name "normalizer" -}}
{{- $_ := set $settings "normalizer" (dict "mode" $own.mode) -}}
{{- end -}}
{{- if eq $name "trainer-launcher" -}}
{{- $_ := set $settings "trainer_launcher" (include "codeio.launcherSettings" $root | fromYaml) -}}
{{- end -}}
{{- include "codeio.variables" (mergeOverwrite $settings (deepCopy $root.Values.config) (deepCopy $own.config)) -}}
{{- end }}
