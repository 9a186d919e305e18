import type { DashboardSpec } from './dashboard.ts'
import { timeSeries, stat, quantile, rate, RELEASE } from './panels.ts'

/** The databases and their backups, from the metrics of CloudNativePG's exporter and of the services. */

const each = '{{app}} {{pod}}'
const primary = `cnpg_pg_replication_in_recovery{${RELEASE}} == 0`
const onPrimary = (expr: string) => `${expr} and on (app, pod) ${primary}`

export const databases: DashboardSpec = {
  uid: 'malipo-databases',
  title: 'databases and backups',
  description: 'Instances, replication, WAL and backups, and the database metrics of the services.',
  rows: {
    Instances: [
      stat({
        title: 'Primary',
        unit: 'short',
        description: 'The instance that accepts writes, one per service.',
        queries: { [each]: `1 - (${primary})` },
      }),
      stat({
        title: 'Instances up',
        unit: 'short',
        description: 'By service.',
        queries: { '{{app}}': `sum by (app) (up{${RELEASE},component="database"})` },
      }),
      stat({
        title: 'Streaming standbys',
        unit: 'short',
        description: 'With synchronous replication, writes block while there is none.',
        queries: { '{{app}}': onPrimary(`cnpg_pg_replication_streaming_replicas{${RELEASE}}`) },
      }),
      stat({
        title: 'Replication lag',
        unit: 's',
        description: 'Maximum by service.',
        queries: { '{{app}}': `max by (app) (cnpg_pg_replication_lag{${RELEASE}})` },
      }),
      timeSeries({
        title: 'Transactions',
        unit: 'cps',
        description: 'Commits per second.',
        queries: {
          '{{app}}': rate(
            'cnpg_pg_stat_database_xact_commit',
            `${RELEASE},datname=~"auth|payments"`,
            'app',
          ),
        },
        span: 8,
      }),
      timeSeries({
        title: 'Connections by state',
        unit: 'short',
        description: 'Long transactions (idle in transaction) delay vacuum and payment totals.',
        queries: { '{{app}} {{state}}': `sum by (app, state) (cnpg_backends_total{${RELEASE}})` },
        span: 8,
      }),
      timeSeries({
        title: 'Size',
        unit: 'bytes',
        description: 'Size of the databases and of their WAL.',
        queries: {
          '{{app}} data': `max by (app) (cnpg_pg_database_size_bytes{${RELEASE},datname=~"auth|payments"})`,
          '{{app}} WAL': `max by (app) (cnpg_collector_pg_wal{${RELEASE},value="size"})`,
        },
        span: 8,
      }),
    ],
    Backups: [
      stat({
        title: 'Age of the latest base backup',
        unit: 'dtdurations',
        description: 'Base backups are taken every night by default.',
        queries: {
          '{{app}}': `time() - max by (app) (barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{${RELEASE}} > 0)`,
        },
        noValue: 'No backup yet, or none is configured',
        span: 8,
      }),
      stat({
        title: 'Recovery window',
        unit: 'dtdurations',
        description: 'Age of the earliest point in time that can be restored.',
        queries: {
          '{{app}}': `time() - max by (app) (barman_cloud_cloudnative_pg_io_first_recoverability_point{${RELEASE}} > 0)`,
        },
        noValue: 'No backup yet, or none is configured',
        span: 8,
      }),
      timeSeries({
        title: 'WAL segments waiting to be archived',
        unit: 'short',
        description: 'Segments that are not archived are lost if the volumes are lost.',
        queries: {
          '{{app}}': onPrimary(`cnpg_collector_pg_wal_archive_status{${RELEASE},value="ready"}`),
        },
        span: 8,
      }),
    ],
    'Service metrics': [
      timeSeries({
        title: 'Statement duration, p99',
        unit: 's',
        description: 'Over all statements of a service.',
        queries: { '{{app}}': quantile(0.99, 'db_statement_duration_seconds', RELEASE, 'app') },
        span: 8,
      }),
      timeSeries({
        title: 'Wait for a pool connection, p99',
        unit: 's',
        description: 'Time before a statement can be sent.',
        queries: { '{{app}}': quantile(0.99, 'db_pool_wait_seconds', RELEASE, 'app') },
        span: 8,
      }),
      timeSeries({
        title: 'Retries and failures',
        unit: 'cps',
        description: 'During a failover statements are retried; none should fail.',
        queries: {
          '{{app}} retried, {{verdict}}': rate('db_retries_total', RELEASE, 'app, verdict'),
          '{{app}} unavailable': rate('db_unavailable_total', RELEASE, 'app'),
        },
        span: 8,
      }),
    ],
  },
}
