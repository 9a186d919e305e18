{{/* Alerts that every service has, in few words; see `service.rules`. */}}
{{- define "service.alerts" -}}
{{- $series := include "service.series" . -}}
{{- $rules := .Values.monitoring.rules -}}
{{- $most := .Values.monitoring.thresholds -}}
- alert: ServiceDown
  severity: page
  summary: {{ printf "No pod of %s answers Prometheus" .Chart.Name | quote }}
  expr: |
    max by (namespace, release, app, component) (up{ {{- $series }},component="service"}) == 0
    or absent(up{ {{- $series }},component="service"})
- alert: TargetDown
  severity: ticket
  summary: "<component> <pod> of <app> does not answer Prometheus"
  expr: up{ {{- $series }}} == 0
- alert: DatabaseUnavailable
  severity: page
  for: 0s
  summary: "<app> gave up <value> requests since its database did not answer in time"
  expr: sum by (namespace, release, app) (increase(db_unavailable_total{ {{- $series }}}[{{ $rules.window }}])) > {{ $most.unavailableRequests }}
- alert: PoolSaturated
  severity: ticket
  summary: "Statements of <pod> wait for a connection to the database, <value> at a time"
  expr: avg_over_time(db_pool_waiting{ {{- $series }}}[{{ $rules.window }}]) > {{ $most.poolWaiting }}
- alert: EventLoopSlow
  severity: ticket
  summary: "<pod> is <duration> behind with its work, one turn in a hundred"
  expr: avg_over_time(nodejs_eventloop_lag_p99_seconds{ {{- $series }}}[{{ $rules.window }}]) > {{ $most.eventLoopLagSeconds }}
- alert: RedisDown
  when: {{ or (ne .Values.redis.url "") (gt (len .Values.redis.sentinels) 0) }}
  severity: ticket
  summary: "<app> has no connection to Redis: nothing is cached"
  expr: max by (namespace, release, app) (redis_up{ {{- $series }}}) == 0
- alert: PodsNotReady
  when: {{ $rules.kubeStateMetrics }}
  severity: ticket
  summary: "<deployment> has <value> pods fewer that are ready than it should"
  {{- $deployment := printf "namespace=%q,deployment=%q" .Release.Namespace (include "service.fullname" .) }}
  expr: kube_deployment_spec_replicas{ {{- $deployment }}} - kube_deployment_status_replicas_available{ {{- $deployment }}} > 0
{{- end }}

{{/* Alerts on a database that CloudNativePG runs. */}}
{{- define "service.databaseAlerts" -}}
{{- $series := include "service.series" . -}}
{{- $most := .Values.monitoring.thresholds -}}
{{- $instances := int .Values.database.instances -}}
{{- $cluster := include "service.cluster" . -}}
- alert: NoPrimary
  severity: page
  summary: {{ printf "%s has no primary: nothing can be written" $cluster | quote }}
  expr: |
    min by (namespace, release, app) (cnpg_pg_replication_in_recovery{ {{- $series }}}) == 1
    or absent(cnpg_pg_replication_in_recovery{ {{- $series }}})
- alert: ReplicaMissing
  when: {{ gt $instances 1 }}
  severity: ticket
  summary: {{ printf "<value> instances follow the primary of %s instead of %d" $cluster (sub $instances 1) | quote }}
  expr: |
    max by (namespace, release, app) (
      cnpg_pg_replication_streaming_replicas{ {{- $series }}} and cnpg_pg_replication_in_recovery{ {{- $series }}} == 0
    ) < {{ sub $instances 1 }}
- alert: ReplicationLag
  when: {{ gt $instances 1 }}
  severity: ticket
  summary: "<pod> is <duration> behind its primary"
  expr: cnpg_pg_replication_lag{ {{- $series }}} > {{ $most.replicationLagSeconds }}
- alert: BackupTooOld
  when: {{ .Values.database.backup.enabled }}
  severity: ticket
  summary: {{ printf "The newest backup of %s is <duration> old" $cluster | quote }}
  expr: |
    time() - max by (namespace, release, app) (
      barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{ {{- $series }}}
    ) > {{ int64 $most.backupAgeSeconds }}
- alert: WalNotArchived
  when: {{ .Values.database.backup.enabled }}
  severity: page
  for: {{ .Values.monitoring.rules.for.ticket }}
  summary: {{ printf "The WAL of %s does not reach the object store: <value> segments wait" $cluster | quote }}
  expr: |
    max by (namespace, release, app) (
      cnpg_collector_pg_wal_archive_status{ {{- $series }},value="ready"} and on (pod) cnpg_pg_replication_in_recovery{ {{- $series }}} == 0
    ) > {{ $most.walSegmentsWaiting }}
- alert: DiskNearlyFull
  when: {{ .Values.monitoring.rules.kubelet }}
  severity: page
  summary: "The volume <persistentvolumeclaim> has <percent> of its size left"
  {{- $claim := printf "namespace=%q,persistentvolumeclaim=~%q" .Release.Namespace (printf "%s-[0-9]+(-wal)?" $cluster) }}
  expr: kubelet_volume_stats_available_bytes{ {{- $claim }}} / kubelet_volume_stats_capacity_bytes{ {{- $claim }}} < {{ $most.diskLeft }}
{{- end }}
