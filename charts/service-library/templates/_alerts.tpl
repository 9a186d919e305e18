{{/* Alerts of every service, in the short form of `service.rules`. */}}
{{- define "service.alerts" -}}
{{- $series := include "service.series" . -}}
{{- $rules := .Values.monitoring.rules -}}
{{- $thresholds := .Values.monitoring.thresholds -}}
- alert: ServiceDown
  severity: page
  summary: {{ printf "Prometheus can't scrape any pod of %s" .Chart.Name | quote }}
  expr: |
    max by (namespace, release, app, component) (up{ {{- $series }},component="service"}) == 0
    or absent(up{ {{- $series }},component="service"})
- alert: TargetDown
  severity: ticket
  summary: "Prometheus can't scrape <component> <pod> of <app>"
  expr: up{ {{- $series }}} == 0
- alert: DatabaseUnavailable
  severity: page
  for: 0s
  summary: "<value> requests to <app> failed because its database was unavailable"
  expr: sum by (namespace, release, app) (increase(db_unavailable_total{ {{- $series }}}[{{ $rules.window }}])) > {{ $thresholds.unavailableRequests }}
- alert: PoolSaturated
  severity: ticket
  summary: "On average <value> statements of <pod> wait for a database connection"
  expr: avg_over_time(db_pool_waiting{ {{- $series }}}[{{ $rules.window }}]) > {{ $thresholds.poolWaiting }}
- alert: EventLoopSlow
  severity: ticket
  summary: "The event loop lag of <pod> is <duration> at the 99th percentile"
  expr: avg_over_time(nodejs_eventloop_lag_p99_seconds{ {{- $series }}}[{{ $rules.window }}]) > {{ $thresholds.eventLoopLagSeconds }}
- alert: ClockOffset
  severity: ticket
  summary: "The clocks of <pod> and of its database differ by <duration>"
  expr: abs(clock_offset_seconds{ {{- $series }}}) > 1
- alert: RedisDown
  when: {{ or (ne .Values.redis.url "") (gt (len .Values.redis.sentinels) 0) }}
  severity: ticket
  summary: "No pod of <app> has a connection to Redis"
  expr: max by (namespace, release, app) (redis_up{ {{- $series }}}) == 0
- alert: PodsNotReady
  when: {{ $rules.kubeStateMetrics }}
  severity: ticket
  summary: "<deployment> lacks <value> available replicas"
  {{- $deployment := printf "namespace=%q,deployment=%q" .Release.Namespace (include "service.fullname" .) }}
  expr: kube_deployment_spec_replicas{ {{- $deployment }}} - kube_deployment_status_replicas_available{ {{- $deployment }}} > 0
{{- end }}

{{/* Alerts on a CloudNativePG database. */}}
{{- define "service.databaseAlerts" -}}
{{- $series := include "service.series" . -}}
{{- $thresholds := .Values.monitoring.thresholds -}}
{{- $instances := int .Values.database.instances -}}
{{- $cluster := include "service.cluster" . -}}
- alert: NoPrimary
  severity: page
  summary: {{ printf "%s has no primary: all writes fail" $cluster | quote }}
  expr: |
    min by (namespace, release, app) (cnpg_pg_replication_in_recovery{ {{- $series }}}) == 1
    or absent(cnpg_pg_replication_in_recovery{ {{- $series }}})
- alert: ReplicaMissing
  when: {{ gt $instances 1 }}
  severity: ticket
  summary: {{ printf "<value> standbys stream from the primary of %s, expected %d" $cluster (sub $instances 1) | quote }}
  expr: |
    max by (namespace, release, app) (
      cnpg_pg_replication_streaming_replicas{ {{- $series }}} and cnpg_pg_replication_in_recovery{ {{- $series }}} == 0
    ) < {{ sub $instances 1 }}
- alert: ReplicationLag
  when: {{ gt $instances 1 }}
  severity: ticket
  summary: "<pod> is <duration> behind its primary"
  expr: cnpg_pg_replication_lag{ {{- $series }}} > {{ $thresholds.replicationLagSeconds }}
- alert: BackupTooOld
  when: {{ .Values.database.backup.enabled }}
  severity: ticket
  summary: {{ printf "The latest backup of %s is <duration> old" $cluster | quote }}
  expr: |
    time() - max by (namespace, release, app) (
      barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{ {{- $series }}}
    ) > {{ int64 $thresholds.backupAgeSeconds }}
- alert: WalNotArchived
  when: {{ .Values.database.backup.enabled }}
  severity: page
  for: {{ .Values.monitoring.rules.for.ticket }}
  summary: {{ printf "WAL archiving of %s is behind: <value> segments are waiting" $cluster | quote }}
  expr: |
    max by (namespace, release, app) (
      cnpg_collector_pg_wal_archive_status{ {{- $series }},value="ready"} and on (pod) cnpg_pg_replication_in_recovery{ {{- $series }}} == 0
    ) > {{ $thresholds.walSegmentsWaiting }}
- alert: DiskNearlyFull
  when: {{ .Values.monitoring.rules.kubelet }}
  severity: page
  summary: "The volume <persistentvolumeclaim> has <percent> of its space left"
  {{- $claim := printf "namespace=%q,persistentvolumeclaim=~%q" .Release.Namespace (printf "%s-[0-9]+(-wal)?" $cluster) }}
  expr: kubelet_volume_stats_available_bytes{ {{- $claim }}} / kubelet_volume_stats_capacity_bytes{ {{- $claim }}} < {{ $thresholds.diskFreeRatio }}
{{- end }}
