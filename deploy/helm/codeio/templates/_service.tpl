{{/* One service: all of its objects, the same for each. Takes (root, name).

How a pod ends: it is taken out of its Service and, at the same time, told to stop. The preStop
sleep keeps it answering for the 5 s in which clients and proxies hear of the former. Then it
drains: calls for server.drain_seconds (25), at the same time records for worker.drain_seconds
(10), whose last transaction is given 10 s more. 5 + 25 + 10 = 40, and 5 to start anew with: 45. */}}
{{- define "codeio.service" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $service := index (include "codeio.services" $root | fromYaml) $name -}}
{{- $own := index $root.Values $service.values -}}
{{- $full := include "codeio.fullname" $root -}}
{{- $variables := include "codeio.serviceVariables" . -}}
{{- $teacher := include "codeio.asksTeacher" . -}}
{{- $tls := $root.Values.server.tls.existingSecret -}}
{{- $volume := and $teacher (not $root.Values.teacher.storeExistingSecret) -}}
{{- $there := lookup "apps/v1" "StatefulSet" $root.Release.Namespace (printf "%s-%s" $full $name) -}}
{{- if and $there (ne (not $volume) (empty $there.spec.volumeClaimTemplates)) -}}
{{- fail (printf "a StatefulSet cannot get or lose a volume, and with this teacher %s-%s does: run `kubectl --namespace %s delete statefulset %s-%s --cascade=orphan` first, which stops nothing" $full $name $root.Release.Namespace $full $name) -}}
{{- end -}}
{{- $scaled := and $own.autoscaling (include "codeio.scaled" $root) -}}
apiVersion: v1
kind: ConfigMap
metadata: {{- include "codeio.metadata" . | nindent 2 }}
data: {{- $variables | nindent 2 }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "codeio.metadata" . | nindent 2 }}
  {{- with $root.Values.serviceAccounts.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata: {{- include "codeio.metadata" . | nindent 2 }}
spec:
  # Without an address of its own, so that clients see all replicas and spread calls over them.
  clusterIP: None
  selector: {{- include "codeio.selector" . | nindent 4 }}
  ports:
  - {name: grpc, port: 50051, targetPort: grpc}
  - {name: metrics, port: 9090, targetPort: metrics}
---
apiVersion: apps/v1
# One that consumes from Kafka has a name that stays, and with it its place in the group and its
# transactional id: a restart goes on in 0.3 s, where another id has readers wait for 8 to 18 s.
kind: {{ hasKey $service "group" | ternary "StatefulSet" "Deployment" }}
metadata: {{- include "codeio.metadata" . | nindent 2 }}
spec:
  {{- if not $scaled }}
  replicas: {{ $own.replicas }}
  {{- end }}
  {{- if $service.group }}
  serviceName: {{ $full }}-{{ $name }}
  podManagementPolicy: Parallel
  {{- end }}
  revisionHistoryLimit: 3
  selector:
    matchLabels: {{- include "codeio.selector" . | nindent 6 }}
  template:
    metadata: {{- include "codeio.podMetadata" (list $root $name $own.pods $variables) | nindent 6 }}
    spec:
      serviceAccountName: {{ $full }}-{{ $name }}
      {{- include "codeio.podSecurity" (list $root 65532 (eq $name "trainer-launcher")) | nindent 6 }}
      terminationGracePeriodSeconds: 45
      {{- include "codeio.placement" (list $root $name $own.pods) | indent 6 }}
      containers:
      - name: {{ $name }}
        image: {{ include "codeio.image" . }}
        imagePullPolicy: {{ $root.Values.image.pullPolicy }}
        args: [serve, {{ $name }}]
        envFrom:
        {{- if and $teacher $root.Values.teacher.environmentSecret }}
        # Before the settings, which win.
        - secretRef: {name: {{ $root.Values.teacher.environmentSecret | quote }}}
        {{- end }}
        - configMapRef: {name: {{ $full }}-{{ $name }}}
        {{- with include "codeio.serviceEnv" . | trim }}
        env:
          {{- . | nindent 8 }}
        {{- end }}
        ports:
        - {name: grpc, containerPort: 50051}
        - {name: metrics, containerPort: 9090}
        {{- if $tls }}
        - {name: health, containerPort: 50053}
        {{- end }}
        # The loop of a process that is at work comes round within seconds; a minute is a fault.
        startupProbe:
          grpc: {port: {{ empty $tls | ternary 50051 50053 }}, service: liveness}
          periodSeconds: 2
          failureThreshold: 60
        livenessProbe:
          grpc: {port: {{ empty $tls | ternary 50051 50053 }}, service: liveness}
          periodSeconds: 15
          timeoutSeconds: 10
          failureThreshold: 4
        readinessProbe:
          grpc: {port: {{ empty $tls | ternary 50051 50053 }}, service: readiness}
          periodSeconds: 5
          timeoutSeconds: 5
          failureThreshold: 2
        lifecycle:
          preStop: {sleep: {seconds: 5}}
        # The last line of a failure is the sentence that `kubectl describe` shows.
        terminationMessagePolicy: FallbackToLogsOnError
        securityContext: {{- include "codeio.containerSecurity" $root | nindent 10 }}
        resources: {{- toYaml $own.resources | nindent 10 }}
        volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if $service.group }}
        {{- include "codeio.kafkaSecrets" (list $root "mounts" false) | indent 8 }}
        {{- end }}
        {{- if $tls }}
        - {name: tls, mountPath: /etc/codeio/tls, readOnly: true}
        {{- end }}
        {{- if $root.Values.server.tokens.existingSecret }}
        - {name: tokens, mountPath: /etc/codeio/tokens, readOnly: true}
        {{- end }}
        {{- if $teacher }}
        {{- if $root.Values.teacher.existingSecret }}
        - {name: teacher, mountPath: /etc/codeio/teacher, readOnly: true}
        {{- end }}
        {{- range $endpoint, $of := $root.Values.teacher.endpoints }}
        {{- if $of.existingSecret }}
        - {name: teacher-{{ $endpoint }}, mountPath: /etc/codeio/teacher-{{ $endpoint }}, readOnly: true}
        {{- end }}
        {{- end }}
        {{- if $volume }}
        - {name: responses, mountPath: /var/lib/codeio}
        {{- end }}
        {{- end }}
      volumes:
      - name: tmp
        emptyDir: {sizeLimit: 1Gi}
      {{- if $service.group }}
      {{- include "codeio.kafkaSecrets" (list $root "volumes" false) | indent 6 }}
      {{- end }}
      {{- if $tls }}
      - name: tls
        secret: {secretName: {{ $tls | quote }}}
      {{- end }}
      {{- if $root.Values.server.tokens.existingSecret }}
      - name: tokens
        secret: {secretName: {{ $root.Values.server.tokens.existingSecret | quote }}}
      {{- end }}
      {{- if $teacher }}
      {{- if $root.Values.teacher.existingSecret }}
      - name: teacher
        secret: {secretName: {{ $root.Values.teacher.existingSecret | quote }}, items: [{key: api-key, path: api-key}]}
      {{- end }}
      {{- range $endpoint, $of := $root.Values.teacher.endpoints }}
      {{- if $of.existingSecret }}
      - name: teacher-{{ $endpoint }}
        secret: {secretName: {{ $of.existingSecret | quote }}, items: [{key: api-key, path: api-key}]}
      {{- end }}
      {{- end }}
      {{- end }}
  {{- if $volume }}
  # Paid answers: they stay when the release goes, or a replica.
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  volumeClaimTemplates:
  - metadata: {name: responses}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with $root.Values.teacher.storage.storageClassName }}
      storageClassName: {{ . }}
      {{- end }}
      resources: {requests: {storage: {{ $root.Values.teacher.storage.size }}}}
  {{- end }}
{{- include "codeio.budget" . }}
{{- end }}

{{/* How many pods of a component go at a time when nodes are drained. Takes (root, component). */}}
{{- define "codeio.budget" -}}
{{- if (index . 0).Values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "codeio.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  # One that cannot start is not to keep its node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "codeio.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* What is in the environment beside the settings. Takes (root, name). */}}
{{- define "codeio.serviceEnv" -}}
{{- $root := index . 0 -}}
{{- $service := index (include "codeio.services" $root | fromYaml) (index . 1) -}}
{{- if $service.group }}
- name: CODEIO_KAFKA__SLOT
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{- if and (include "codeio.asksTeacher" .) $root.Values.teacher.storeExistingSecret }}
- name: CODEIO_TEACHER__STORE
  valueFrom: {secretKeyRef: {name: {{ $root.Values.teacher.storeExistingSecret | quote }}, key: store}}
{{- end }}
{{- range $key, $value := (index $root.Values $service.values).env }}
- {name: {{ $key }}, value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}}
{{- end }}
{{- end }}
