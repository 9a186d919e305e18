{{/*
The service's PostgreSQL as a CloudNativePG Cluster. Neither Helm nor Argo CD deletes it, since the operator deletes the
volumes together with the Cluster. Argo CD observes Helm's annotation when it deletes an Application, but not when it
prunes (https://github.com/argoproj/argo-cd/issues/17819).
*/}}
{{- define "service.database" -}}
{{- if eq .Values.database.kind "cnpg" -}}
{{- include "service.checkConnections" . -}}
{{- $db := .Values.database -}}
{{- $name := include "service.cluster" . -}}
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata:
  name: {{ $name | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
    argocd.argoproj.io/sync-options: Prune=false,Delete=false
spec:
  description: {{ printf "The database of %s" .Chart.Name | quote }}
  instances: {{ $db.instances | int64 }}
  imageName: {{ $db.image | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- include "service.pullSecrets" . | nindent 4 }}
  {{- end }}
  {{- with include "service.withoutNulls" $db.podSecurityContext | fromYaml }}
  podSecurityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "service.withoutNulls" $db.containerSecurityContext | fromYaml }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  enableSuperuserAccess: false
  inheritedMetadata:
    labels:
      app.kubernetes.io/part-of: malipo
  {{- with $db.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  # Shorter times make a failover faster, but tolerate shorter outages of the API server.
  smartShutdownTimeout: {{ $db.failover.smartShutdownTimeoutSeconds | int64 }}
  switchoverDelay: {{ $db.failover.switchoverDelaySeconds | int64 }}
  stopDelay: {{ $db.failover.stopDelaySeconds | int64 }}
  primaryLease:
    leaseDurationSeconds: {{ $db.failover.leaseDurationSeconds | int64 }}
    renewDeadlineSeconds: {{ $db.failover.renewDeadlineSeconds | int64 }}
    retryPeriodSeconds: {{ $db.failover.retryPeriodSeconds | int64 }}
  primaryUpdateStrategy: unsupervised
  primaryUpdateMethod: switchover
  affinity:
    enablePodAntiAffinity: true
    topologyKey: {{ $db.spread.topologyKey | quote }}
    podAntiAffinityType: {{ $db.spread.type | quote }}
    {{- with .Values.nodeSelector }}
    nodeSelector:
      {{- include "service.strings" . | nindent 6 }}
    {{- end }}
    {{- with .Values.tolerations }}
    tolerations:
      {{- include "service.tolerations" . | nindent 6 }}
    {{- end }}
  resources:
    {{- toYaml $db.resources | nindent 4 }}
  storage:
    {{- include "service.volumeClaim" $db.storage | nindent 4 }}
  {{- if $db.walStorage.enabled }}
  walStorage:
    {{- include "service.volumeClaim" $db.walStorage | nindent 4 }}
  {{- end }}
  postgresql:
    {{- if and (gt (int $db.instances) 1) $db.synchronous.enabled }}
    # An acknowledged commit is on a second instance, and a standby that may lack it is never promoted.
    synchronous:
      method: any
      number: {{ $db.synchronous.number | int64 }}
      dataDurability: {{ $db.synchronous.dataDurability | quote }}
      failoverQuorum: {{ $db.synchronous.failoverQuorum }}
    {{- end }}
    pg_hba:
      - hostnossl all all all reject
    parameters:
      {{- include "service.strings" $db.parameters | nindent 6 }}
  {{- if $db.pooler.enabled }}
  # PgBouncer presents the server's certificate, under the name of the Pooler's Service.
  certificates:
    serverAltDNSNames:
      - {{ printf "%s-pooler" $name | quote }}
      - {{ printf "%s-pooler.%s.svc" $name .Release.Namespace | quote }}
  {{- end }}
  managed:
    roles:
      - name: {{ printf "%s_service" .Chart.Name | quote }}
        comment: The service; may not change the schema or recorded events
        ensure: present
        login: true
        connectionLimit: -1
        passwordSecret:
          name: {{ include "service.databaseSecret" . | quote }}
  {{- include "service.bootstrap" . | nindent 2 }}
  {{- if $db.backup.enabled }}
  plugins:
    - name: barman-cloud.cloudnative-pg.io
      isWALArchiver: true
      parameters:
        barmanObjectName: {{ $name | quote }}
        serverName: {{ $db.backup.serverName | default $name | quote }}
  {{- end }}
{{- end -}}
{{- end }}

{{- define "service.volumeClaim" -}}
size: {{ .size | quote }}
{{- with .storageClass }}
storageClass: {{ . | quote }}
{{- end }}
{{- end }}

{{/* A new database, or one recovered from the object store to the latest or a given point in time. */}}
{{- define "service.bootstrap" -}}
{{- $restore := .Values.database.restore -}}
{{- if $restore.enabled -}}
bootstrap:
  recovery:
    source: origin
    database: {{ .Chart.Name | quote }}
    owner: {{ .Chart.Name | quote }}
    {{- with $restore.targetTime }}
    recoveryTarget:
      targetTime: {{ . | quote }}
    {{- end }}
externalClusters:
  - name: origin
    plugin:
      name: barman-cloud.cloudnative-pg.io
      parameters:
        barmanObjectName: {{ include "service.cluster" . | quote }}
        serverName: {{ required "database.restore.serverName is required: the server name in the archive to recover from" $restore.serverName | quote }}
{{- else -}}
bootstrap:
  initdb:
    database: {{ .Chart.Name | quote }}
    owner: {{ .Chart.Name | quote }}
    dataChecksums: true
    encoding: UTF8
    localeProvider: builtin
    locale: C.UTF-8
    builtinLocale: C.UTF-8
{{- end -}}
{{- end }}

{{/* The object store of base backups and WAL. */}}
{{- define "service.objectStore" -}}
{{- $backup := .Values.database.backup -}}
{{- if and (eq .Values.database.kind "cnpg") (or $backup.enabled .Values.database.restore.enabled) -}}
apiVersion: barmancloud.cnpg.io/v1
kind: ObjectStore
metadata:
  name: {{ include "service.cluster" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  retentionPolicy: {{ $backup.retention | quote }}
  configuration:
    destinationPath: {{ required "database.backup.destinationPath is required, such as s3://bucket/path" $backup.destinationPath | quote }}
    {{- with $backup.endpointURL }}
    endpointURL: {{ . | quote }}
    {{- end }}
    {{- with $backup.caSecret }}
    endpointCA:
      name: {{ tpl . $ | quote }}
      key: ca.crt
    {{- end }}
    {{- if $backup.existingSecret }}
    s3Credentials:
      accessKeyId:
        name: {{ tpl $backup.existingSecret . | quote }}
        key: {{ $backup.accessKeyIdKey | quote }}
      secretAccessKey:
        name: {{ tpl $backup.existingSecret . | quote }}
        key: {{ $backup.secretAccessKeyKey | quote }}
    {{- else }}
    s3Credentials:
      inheritFromIAMRole: true
    {{- end }}
    wal:
      compression: gzip
    data:
      compression: gzip
  {{- if or $backup.sidecarEnv $backup.sidecarResources }}
  instanceSidecarConfiguration:
    {{- with $backup.sidecarEnv }}
    env:
      {{- include "service.stringsExcept" (list . (list "optional")) | nindent 6 }}
    {{- end }}
    {{- with $backup.sidecarResources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}
{{- end }}

{{- define "service.scheduledBackup" -}}
{{- $backup := .Values.database.backup -}}
{{- if and (eq .Values.database.kind "cnpg") $backup.enabled -}}
apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata:
  name: {{ include "service.cluster" . | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  # Seconds, minutes, hours, day of month, month, day of week.
  schedule: {{ $backup.schedule | quote }}
  immediate: {{ $backup.immediate }}
  backupOwnerReference: none
  method: plugin
  pluginConfiguration:
    name: barman-cloud.cloudnative-pg.io
  cluster:
    name: {{ include "service.cluster" . | quote }}
{{- end -}}
{{- end }}

{{/* PgBouncer in front of the database. */}}
{{- define "service.pooler" -}}
{{- $pooler := .Values.database.pooler -}}
{{- if and (eq .Values.database.kind "cnpg") $pooler.enabled -}}
apiVersion: postgresql.cnpg.io/v1
kind: Pooler
metadata:
  name: {{ printf "%s-pooler" (include "service.cluster" .) | quote }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  cluster:
    name: {{ include "service.cluster" . | quote }}
  type: rw
  instances: {{ $pooler.instances | int64 }}
  pgbouncer:
    poolMode: transaction
    parameters:
      max_client_conn: {{ $pooler.maxClientConnections | int64 | quote }}
      default_pool_size: {{ $pooler.poolSize | int64 | quote }}
      # The services use named prepared statements.
      max_prepared_statements: "200"
      query_wait_timeout: "10"
  template:
    metadata:
      labels:
        app.kubernetes.io/part-of: malipo
    spec:
      {{- with include "service.withoutNulls" $pooler.podSecurityContext | fromYaml }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: pgbouncer
          {{- with $pooler.image }}
          image: {{ . | quote }}
          {{- end }}
          {{- with include "service.withoutNulls" $pooler.containerSecurityContext | fromYaml }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          resources:
            {{- toYaml $pooler.resources | nindent 12 }}
{{- end -}}
{{- end }}

{{/*
Fails if the pods' pools need more connections than the database allows, since some pods would not get any. A rollout
adds one pod; migrations, the exporter, the operator and administrators also need connections.
*/}}
{{- define "service.checkConnections" -}}
{{- $db := .Values.database -}}
{{- $pods := ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- $needed := add (mul (add1 $pods) (int $db.poolMax)) 20 -}}
{{- $limit := index $db.parameters "max_connections" | default 100 | int -}}
{{- if and (not $db.pooler.enabled) (gt $needed $limit) -}}
{{- fail (printf "%d pods with %d connections need %d including a rollout and administration, but database.parameters.max_connections is %d: raise it, lower database.poolMax, or set database.pooler.enabled" $pods (int $db.poolMax) $needed $limit) -}}
{{- end -}}
{{- end -}}
