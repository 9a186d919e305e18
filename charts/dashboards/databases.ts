import type { Page } from './page.ts'
import { graph, numbers, quantile, rate, RELEASE } from './panels.ts'

/** The databases and their backups, as CloudNativePG's exporter and the services tell of them. */

const each = '{{app}} {{pod}}'
const primary = `cnpg_pg_replication_in_recovery{${RELEASE}} == 0`
const onPrimary = (expr: string) => `${expr} and on (app, pod) ${primary}`

export const databases: Page = {
  uid: 'malipo-databases',
  title: 'databases and backups',
  description:
    'Instances, replication, WAL and backups, and what the services see of their databases.',
  rows: {
    Instances: [
      numbers({
        title: 'Primary',
        unit: 'short',
        description: 'The instance that takes writes, one for each service.',
        queries: { [each]: `1 - (${primary})` },
      }),
      numbers({
        title: 'Instances that answer',
        unit: 'short',
        description: 'By service.',
        queries: { '{{app}}': `sum by (app) (up{${RELEASE},component="database"})` },
      }),
      numbers({
        title: 'Replicas that stream',
        unit: 'short',
        description: 'Where commits are synchronous, writes stand still without one.',
        queries: { '{{app}}': onPrimary(`cnpg_pg_replication_streaming_replicas{${RELEASE}}`) },
      }),
      numbers({
        title: 'Replicas are behind by',
        unit: 's',
        description: 'At most, by service.',
        queries: { '{{app}}': `max by (app) (cnpg_pg_replication_lag{${RELEASE}})` },
      }),
      graph({
        title: 'Transactions',
        unit: 'cps',
        description: 'Committed, a second.',
        queries: {
          '{{app}}': rate(
            'cnpg_pg_stat_database_xact_commit',
            `${RELEASE},datname=~"auth|payments"`,
            'app',
          ),
        },
        span: 8,
      }),
      graph({
        title: 'Connections by state',
        unit: 'short',
        description: 'idle in transaction, for long, holds back vacuum and totals.',
        queries: { '{{app}} {{state}}': `sum by (app, state) (cnpg_backends_total{${RELEASE}})` },
        span: 8,
      }),
      graph({
        title: 'Size',
        unit: 'bytes',
        description: 'Of the databases, and of the WAL beside them.',
        queries: {
          '{{app}} data': `max by (app) (cnpg_pg_database_size_bytes{${RELEASE},datname=~"auth|payments"})`,
          '{{app}} WAL': `max by (app) (cnpg_collector_pg_wal{${RELEASE},value="size"})`,
        },
        span: 8,
      }),
    ],
    Backups: [
      numbers({
        title: 'Newest base backup',
        unit: 'dtdurations',
        description: 'Its age; one is made every night.',
        queries: {
          '{{app}}': `time() - max by (app) (barman_cloud_cloudnative_pg_io_last_available_backup_timestamp{${RELEASE}} > 0)`,
        },
        noValue: 'No backup yet, or none is configured',
        span: 8,
      }),
      numbers({
        title: 'Can be restored to as early as',
        unit: 'dtdurations',
        description: 'How far back.',
        queries: {
          '{{app}}': `time() - max by (app) (barman_cloud_cloudnative_pg_io_first_recoverability_point{${RELEASE}} > 0)`,
        },
        noValue: 'No backup yet, or none is configured',
        span: 8,
      }),
      graph({
        title: 'WAL segments that wait to be archived',
        unit: 'short',
        description: 'More than a few: what is lost with the volume grows.',
        queries: {
          '{{app}}': onPrimary(`cnpg_collector_pg_wal_archive_status{${RELEASE},value="ready"}`),
        },
        span: 8,
      }),
    ],
    'As the services see it': [
      graph({
        title: 'Time of a statement, 99 of 100',
        unit: 's',
        description: 'All statements of a service together.',
        queries: { '{{app}}': quantile(0.99, 'db_statement_duration_seconds', RELEASE, 'app') },
        span: 8,
      }),
      graph({
        title: 'Wait for a connection, 99 of 100',
        unit: 's',
        description: 'Before a statement can be sent.',
        queries: { '{{app}}': quantile(0.99, 'db_pool_wait_seconds', RELEASE, 'app') },
        span: 8,
      }),
      graph({
        title: 'Tried again, and given up',
        unit: 'cps',
        description:
          'A failover shows here: statements are tried again, and none should be given up.',
        queries: {
          '{{app}} again, {{fate}}': rate('db_retries_total', RELEASE, 'app, fate'),
          '{{app}} given up': rate('db_unavailable_total', RELEASE, 'app'),
        },
        span: 8,
      }),
    ],
  },
}
