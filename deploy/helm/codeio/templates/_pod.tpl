{{/* What all pods have: no rights, no privileges, a read-only root. Pod Security "restricted". */}}

{{/* Takes (root, number of the user) or (root, number of the user, whether it asks the API server). */}}
{{- define "codeio.podSecurity" -}}
{{- $root := index . 0 -}}
{{- $user := index . 1 -}}
automountServiceAccountToken: {{ and (eq (len .) 3) (last .) }}
# Environment variables of every Service would be read as settings: CODEIO_SANDBOX_PORT.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $user }}
  runAsGroup: {{ $user }}
  # Volumes belong to the group; what is large is not gone through at each start.
  fsGroup: {{ $user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "codeio.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What `pods` and a block's own `pods` say. Takes (root, component, own). */}}
{{- define "codeio.placement" -}}
{{- $root := index . 0 -}}
{{- $pods := mergeOverwrite (deepCopy $root.Values.pods) (deepCopy (index . 2)) -}}
{{- with $pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $pods.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pods.topologyKey }}
topologySpreadConstraints:
- maxSkew: 1
  topologyKey: {{ . }}
  # A cluster with one node left is to run them all the same.
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "codeio.selector" (list $root (index $ 1)) | nindent 6 }}
{{- end }}
{{- end }}

{{/* metadata of a pod. Takes (root, component, own, text whose change is to renew the pods). */}}
{{- define "codeio.podMetadata" -}}
{{- $root := index . 0 -}}
{{- $pods := mergeOverwrite (deepCopy $root.Values.pods) (deepCopy (index . 2)) -}}
labels:
  {{- include "codeio.labels" (list $root (index . 1)) | nindent 2 }}
  {{- with $pods.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := deepCopy $pods.annotations -}}
{{- with index . 3 }}{{ $_ := set $annotations "checksum/settings" (sha256sum .) }}{{ end -}}
{{- with $annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Secrets of the broker, as (mounts) or (volumes). Takes (root, "mounts" or "volumes", admin or not). */}}
{{- define "codeio.kafkaSecrets" -}}
{{- $kafka := (index . 0).Values.kafka -}}
{{- $secret := $kafka.existingSecret -}}
{{- if and (index . 2) $kafka.topics.adminExistingSecret }}{{ $secret = $kafka.topics.adminExistingSecret }}{{ end -}}
{{- if eq (index . 1) "mounts" -}}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
- {name: kafka, mountPath: /etc/codeio/kafka, readOnly: true}
{{- end }}
{{- if $kafka.tls.existingSecret }}
- {name: kafka-tls, mountPath: /etc/codeio/kafka-tls, readOnly: true}
{{- end }}
{{- else -}}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
- name: kafka
  secret: {secretName: {{ $secret | quote }}, items: [{key: password, path: password}]}
{{- end }}
{{- if $kafka.tls.existingSecret }}
- name: kafka-tls
  secret: {secretName: {{ $kafka.tls.existingSecret | quote }}}
{{- end }}
{{- end -}}
{{- end }}

{{/* The pod of a Job as it is: one that is there cannot change, and what it has done is done.
Labels of the Job's controller are its own: a rollback would take them away again.
Takes (root, component, name of the Job, pod). */}}
{{- define "codeio.jobTemplate" -}}
{{- $root := index . 0 -}}
{{- $there := lookup "batch/v1" "Job" $root.Release.Namespace (index . 2) -}}
{{- if $there -}}
{{- $template := deepCopy $there.spec.template -}}
{{- $labels := omit $template.metadata.labels "controller-uid" "job-name" "batch.kubernetes.io/controller-uid" "batch.kubernetes.io/job-name" -}}
{{- toYaml (set $template "metadata" (set (omit $template.metadata "creationTimestamp") "labels" $labels)) -}}
{{- else -}}
metadata: {{- include "codeio.podMetadata" (list $root (index . 1) dict "") | nindent 2 }}
spec: {{- index . 3 | nindent 2 }}
{{- end -}}
{{- end }}

{{/* A pod of the command line: topics, submit, snapshot, test. Takes a dict:
root, component, hook (whether it runs before there is a service account), args or command, resources, mounts, volumes, kafka (admin, user or ""), environmentSecret. */}}
{{- define "codeio.commandPod" -}}
{{- $root := .root -}}
{{- if not .hook }}
serviceAccountName: {{ include "codeio.fullname" $root }}-commands
{{- end }}
{{ include "codeio.podSecurity" (list $root 65532) }}
# What a failure said stays to be read.
restartPolicy: Never
{{- include "codeio.placement" (list $root .component dict) }}
containers:
- name: {{ .component }}
  image: {{ include "codeio.image" (list $root "cli") }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  {{- with .command }}
  command: {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .args }}
  args: {{- toYaml . | nindent 2 }}
  {{- end }}
  env:
  {{- if .kafka }}
  {{- $kafka := include "codeio.kafkaSettings" $root | fromYaml }}
  {{- if and (eq .kafka "admin") $root.Values.kafka.topics.adminUsername }}
  {{- $_ := set $kafka "username" $root.Values.kafka.topics.adminUsername }}
  {{- end }}
  {{- $settings := mergeOverwrite (dict "kafka" $kafka) (deepCopy $root.Values.config) }}
  {{- range $name, $value := include "codeio.variables" $settings | fromYaml }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
  {{- end }}
  - {name: CODEIO_TELEMETRY__LOG_FORMAT, value: json}
  - {name: XDG_CACHE_HOME, value: /tmp/cache}
  {{- with .environmentSecret }}
  envFrom:
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
  # The last line of a failure is the sentence that `kubectl describe` shows.
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext: {{- include "codeio.containerSecurity" $root | nindent 4 }}
  resources: {{- toYaml .resources | nindent 4 }}
  volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- with .mounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if .kafka }}
  {{- include "codeio.kafkaSecrets" (list $root "mounts" (eq .kafka "admin")) | nindent 2 }}
  {{- end }}
volumes:
- {name: tmp, emptyDir: {}}
{{- with .volumes }}
{{ toYaml . }}
{{- end }}
{{- if .kafka }}
{{- include "codeio.kafkaSecrets" (list $root "volumes" (eq .kafka "admin")) }}
{{- end }}
{{- end }}
