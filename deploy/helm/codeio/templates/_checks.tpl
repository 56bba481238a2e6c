{{/* What a schema cannot say: values that contradict each other, in one sentence each. */}}
{{- define "codeio.checks" -}}
{{- $v := .Values -}}
{{- if not (regexMatch "^[a-z]" .Release.Name) -}}
{{- fail (printf "Services are named after the release, so its name begins with a letter, unlike %s" .Release.Name) -}}
{{- end -}}
{{- if and $v.kafka.embedded.enabled $v.kafka.bootstrapServers -}}
{{- fail "kafka.bootstrapServers and kafka.embedded.enabled name two brokers: leave one of them out" -}}
{{- end -}}
{{- if and $v.autoscaling.keda.enabled $v.autoscaling.hpa.enabled -}}
{{- fail "autoscaling.keda and autoscaling.hpa would scale the same pods: enable one of them" -}}
{{- end -}}
{{- $broker := include "codeio.bootstrapServers" . -}}
{{- if and $v.autoscaling.keda.enabled (not $broker) -}}
{{- fail "autoscaling.keda scales on what waits in Kafka, and no broker is named: set kafka.bootstrapServers, or use autoscaling.hpa" -}}
{{- end -}}
{{- if and (or $v.submit.enabled $v.snapshot.enabled) (not $broker) -}}
{{- fail "submit and snapshot work on a broker, and none is named: set kafka.bootstrapServers, or kafka.embedded.enabled for a trial" -}}
{{- end -}}
{{- if and $v.submit.enabled (not $v.submit.sources) -}}
{{- fail "submit.enabled needs submit.sources, such as --set submit.sources.more='pypi:more-itertools'" -}}
{{- end -}}
{{- if and $v.submit.existingClaim $v.submit.existingConfigMap -}}
{{- fail "submit.existingClaim and submit.existingConfigMap are both mounted at /sources: leave one of them out" -}}
{{- end -}}
{{- if and $v.kafka.topics.strimzi.enabled (not $v.kafka.topics.strimzi.cluster) -}}
{{- fail "kafka.topics.strimzi.enabled needs kafka.topics.strimzi.cluster, the name of the Kafka resource" -}}
{{- end -}}
{{- if and $v.kafka.embedded.enabled (or $v.kafka.topics.strimzi.enabled (ne $v.kafka.securityProtocol "PLAINTEXT")) -}}
{{- fail "kafka.embedded is one plain broker of a trial: securityProtocol must be PLAINTEXT and topics.strimzi off" -}}
{{- end -}}
{{- if and $v.kafka.embedded.external.enabled (not (and $v.kafka.embedded.external.host $v.kafka.embedded.external.existingSecret)) -}}
{{- fail "kafka.embedded.external needs a host that clients reach, and existingSecret with the user's password as `password`" -}}
{{- end -}}
{{- if hasPrefix "SASL" $v.kafka.securityProtocol -}}
{{- if not (and $v.kafka.username $v.kafka.existingSecret) -}}
{{- fail (printf "kafka.securityProtocol %s needs kafka.username and kafka.existingSecret, a Secret that has the password as `password`" $v.kafka.securityProtocol) -}}
{{- end -}}
{{- end -}}
{{- if and $v.kafka.topics.adminUsername (not $v.kafka.topics.adminExistingSecret) -}}
{{- fail "kafka.topics.adminUsername needs kafka.topics.adminExistingSecret, a Secret that has the password as `password`" -}}
{{- end -}}
{{- if and $v.teacher.baseUrl $v.teacher.endpoints -}}
{{- fail "teacher.baseUrl and teacher.endpoints both say who is asked: leave one of them out" -}}
{{- end -}}
{{- if and $v.teacher.baseUrl (not $v.teacher.model) -}}
{{- fail "teacher.baseUrl needs teacher.model, what the endpoint calls the model" -}}
{{- end -}}
{{- if and (ne $v.normalizer.mode "static") (not (or $v.teacher.baseUrl $v.teacher.endpoints)) -}}
{{- fail (printf "normalizer.mode %s asks a language model: set teacher.baseUrl" $v.normalizer.mode) -}}
{{- end -}}
{{- if and $v.server.tls.clientCa (not $v.server.tls.existingSecret) -}}
{{- fail "server.tls.clientCa needs server.tls.existingSecret" -}}
{{- end -}}
{{- if $v.trainerLauncher.enabled -}}
{{- include "codeio.checkGrading" . -}}
{{- end -}}
{{- if $v.gateway.enabled -}}
{{- fail "this version has no gateway: leave gateway.enabled false" -}}
{{- end -}}
{{- if and $v.kafka.topics.adminExistingSecret (not $v.kafka.topics.adminUsername) -}}
{{- fail "kafka.topics.adminExistingSecret is the password of kafka.topics.adminUsername, which is not set" -}}
{{- end -}}
{{- if and $v.kafka.tls.clientCertificate (not $v.kafka.tls.existingSecret) -}}
{{- fail "kafka.tls.clientCertificate needs kafka.tls.existingSecret, which has tls.crt and tls.key" -}}
{{- end -}}
{{- if and $v.teacher.endpoints $v.teacher.existingSecret -}}
{{- fail "teacher.existingSecret is the key of teacher.baseUrl: with teacher.endpoints each has an existingSecret of its own" -}}
{{- end -}}
{{- range $name, $endpoint := $v.teacher.endpoints -}}
{{- if not (or $endpoint.model $v.teacher.model) -}}
{{- fail (printf "teacher.endpoints.%s needs a model, or teacher.model for all of them" $name) -}}
{{- end -}}
{{- end -}}
{{- include "codeio.checkOwnSettings" . -}}
{{- include "codeio.checkGuests" . -}}
{{- end }}

{{/* Pods that evaluate call the verifier: what it wants they must have. */}}
{{- define "codeio.checkGrading" -}}
{{- $server := .Values.server -}}
{{- $given := .Values.trainerLauncher.verifier -}}
{{- if and $given.tokenExistingSecret (not $given.tls.existingSecret) -}}
{{- fail "trainerLauncher.verifier.tokenExistingSecret needs trainerLauncher.verifier.tls.existingSecret: a token is sent over TLS alone" -}}
{{- end -}}
{{- if and $given.tls.clientCertificate (not $given.tls.existingSecret) -}}
{{- fail "trainerLauncher.verifier.tls.clientCertificate needs trainerLauncher.verifier.tls.existingSecret, which has tls.crt and tls.key" -}}
{{- end -}}
{{- if .Values.verifier.enabled -}}
{{- if and $server.tls.existingSecret (not $given.tls.existingSecret) -}}
{{- fail "with server.tls the verifier is called over TLS: set trainerLauncher.verifier.tls.existingSecret, a Secret that has who signed its certificate as `ca.crt`" -}}
{{- end -}}
{{- if and $given.tls.existingSecret (not $server.tls.existingSecret) -}}
{{- fail "trainerLauncher.verifier.tls.existingSecret is for a verifier with TLS: set server.tls.existingSecret, or leave it out" -}}
{{- end -}}
{{- if and $server.tls.clientCa (not $given.tls.clientCertificate) -}}
{{- fail "with server.tls.clientCa the verifier wants a certificate of its clients: set trainerLauncher.verifier.tls.clientCertificate" -}}
{{- end -}}
{{- if and $server.tls.existingSecret $server.tokens.existingSecret (not $given.tokenExistingSecret) -}}
{{- fail "with server.tokens the verifier wants a token: set trainerLauncher.verifier.tokenExistingSecret, a Secret that has one as `token`" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Settings that are not for `config` and `env`: probes, ports, policies and volumes hang on
them, or they are secrets. */}}
{{- define "codeio.ownSettings" -}}
kafka: [bootstrap_servers, prefix, partitions, replicas, security_protocol, sasl_mechanism, username, password, password_file, ca_file, certificate_file, key_file, slot]
sandbox: [backend, address, port, workers, reserved, home]
server: [port, metrics_port, health_port, drain_seconds, tls_certificate, tls_key, tls_client_ca, tokens_file]
teacher: [kind, base_url, model, endpoints, api_key, api_key_file, headers, store, batch]
normalizer: [mode]
trainer_launcher: [namespace, image, image_pull_policy, image_pull_secrets, service_account, verifier_address, verifier_token_secret, verifier_tls_secret, verifier_client_certificate, labels]
worker: [drain_seconds]
{{- end }}

{{- define "codeio.checkOwnSettings" -}}
{{- $places := dict "" .Values -}}
{{- range $name, $service := include "codeio.services" . | fromYaml -}}
{{- $_ := set $places (printf "%s." $service.values) (index $.Values $service.values) -}}
{{- end -}}
{{- $told := "values has a place of its own for it, or it is a secret, which only an existingSecret or environmentSecret holds" -}}
{{- range $section, $names := include "codeio.ownSettings" . | fromYaml -}}
{{- range $place, $of := $places -}}
{{- range $key, $value := index $of.config $section -}}
{{- if has (lower $key) $names -}}
{{- fail (printf "%sconfig.%s.%s cannot be set: %s" $place $section $key $told) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := $of.env -}}
{{- if and (hasPrefix (printf "codeio_%s__" $section) (lower $key)) (has (lower $key | trimPrefix (printf "codeio_%s__" $section)) $names) -}}
{{- fail (printf "%senv.%s cannot be set: %s" $place $key $told) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Each replica holds (slots + 1) guests as long as it is there: all of them must fit. */}}
{{- define "codeio.checkGuests" -}}
{{- $v := .Values -}}
{{- $scaled := include "codeio.scaled" . -}}
{{- $bound := $scaled | empty | ternary "replicas" "autoscaling.maxReplicas" -}}
{{- $wanted := 0 -}}
{{- range $name, $service := include "codeio.services" . | fromYaml -}}
{{- $own := index $v $service.values -}}
{{- if and $own.enabled $own.slots -}}
{{- if and $scaled (gt (int $own.autoscaling.minReplicas) (int $own.autoscaling.maxReplicas)) -}}
{{- fail (printf "%s.autoscaling.minReplicas is above its maxReplicas" $service.values) -}}
{{- end -}}
{{- /* The end of the last transaction takes a place in each partition, which KEDA counts as a record that waits. */ -}}
{{- if and $v.autoscaling.keda.enabled (le (int $own.autoscaling.lag) (int $v.kafka.partitions)) -}}
{{- fail (printf "%s.autoscaling.lag must be above kafka.partitions (%d): KEDA sees a record wait in each partition that is worked off, and would never make it fewer replicas" $service.values (int $v.kafka.partitions)) -}}
{{- end -}}
{{- $wanted = add $wanted (mul (add $own.slots 1) ($scaled | empty | ternary $own.replicas $own.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if and $scaled (gt (int $v.sandbox.autoscaling.minReplicas) (int $v.sandbox.autoscaling.maxReplicas)) -}}
{{- fail "sandbox.autoscaling.minReplicas is above its maxReplicas" -}}
{{- end -}}
{{- $pods := $scaled | empty | ternary $v.sandbox.replicas $v.sandbox.autoscaling.maxReplicas -}}
{{- $there := mul $pods $v.sandbox.guests -}}
{{- if gt (int $wanted) (int $there) -}}
{{- fail (printf "the services hold %d guests, (slots + 1) times %s each, and %d sandbox pods of %d have %d: raise sandbox.%s or sandbox.guests" (int $wanted) $bound (int $pods) (int $v.sandbox.guests) (int $there) $bound) -}}
{{- end -}}
{{- end }}
