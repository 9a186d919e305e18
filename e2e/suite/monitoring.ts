import { check, mustPass } from '../checks.ts'
import type { Helm } from '../helm.ts'
import { findPrometheus } from '../prometheus.ts'
import { checkDashboards } from './dashboard-checks.ts'
import { createPayment, login, register } from './http.ts'
import { checkLogs } from './logs.ts'
import { BACKUP_SECRET, monitoredPlatform } from './monitored-release.ts'
import type { Environment, Platform } from './platform.ts'
import {
  assertFiring,
  assertMetricsExist,
  assertRulesHealthy,
  assertTargetsUp,
  assertTotalsMatch,
} from './prometheus-checks.ts'
import { checkRunbooks } from './runbooks.ts'
import { checkTracing, startCollector } from './tracing.ts'
import { generateTraffic, webhook } from './traffic.ts'

/** Monitoring of a release: targets, rules, alerts, totals, dashboards, traces, runbooks and logs. */

const TRAFFIC_S = 45

export async function checkMonitoring(
  namespace: string,
  helm: Helm,
  environment: Environment,
): Promise<void> {
  if ((await findPrometheus()) === undefined && !process.env.CI) {
    console.log('skipped: monitoring, since Prometheus is not reachable (PROMETHEUS_URL)')
    return
  }
  const platform = monitoredPlatform(namespace, helm, environment)
  await mustPass('monitoring: installs the platform with monitors and rules', async () => {
    await platform.namespace.create()
    await platform.namespace.apply(BACKUP_SECRET)
    await startCollector(platform.namespace)
    await platform.deploy()
  })
  await mustPass('monitoring: Prometheus scrapes every target', () => assertTargetsUp(platform))
  await mustPass('monitoring: generates traffic', () =>
    generateTraffic(platform.client, TRAFFIC_S).then(String),
  )
  await check('monitoring: every rule is healthy', () => assertRulesHealthy(platform))
  await check('monitoring: every metric in a rule exists', () => assertMetricsExist(platform))
  await check('monitoring: payment totals match the database', () => assertTotalsMatch(platform))
  await checkDashboards(platform)
  await check('monitoring: no alert fires on a healthy platform', () => assertFiring(platform, []))
  await check('monitoring: a conflicting webhook fires an alert', async () => {
    await sendConflictingWebhooks(platform)
    await assertFiring(platform, ['WebhookConflicts'])
  })
  await checkTracing(platform)
  await checkRunbooks(platform)
  await checkLogs(platform.namespace)
}

/** Sends two webhooks with the same id for different payments. */
async function sendConflictingWebhooks({ client }: Platform): Promise<void> {
  const token = await login(client, await register(client))
  const references = [await createPayment(client, token), await createPayment(client, token)]
  const path = '/api/payments/webhook/provider'
  for (const reference of references) {
    const body = webhook(reference ?? '', 'PENDING', 'evt-conflict')
    await client({ method: 'POST', path, token, body })
  }
}
