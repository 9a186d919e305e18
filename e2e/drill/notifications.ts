import { check, mustPass } from '../checks.ts'
import { install, type Source } from './install.ts'
import { installReceiver, RECEIVER_VALUES } from './notifications/receiver.ts'
import { type Row, textOf, writeRows } from './notifications/report.ts'
import { measureNotifications, NOTIFICATION_FAULTS } from './notifications/rows.ts'
import { upgradeAndRollBack } from './notifications/upgrade.ts'
import { installSimulator, paymentsValues } from './providers/simulator.ts'
import { installEarlier } from './providers/upgrade.ts'
import { namespace } from './release.ts'

/** The rows with notifications, by name. */

const ROWS = ['notification-upgrade', ...Object.keys(NOTIFICATION_FAULTS)]

/** @param wanted names of rows, or `notifications` for all */
export async function notificationRows(source: Source, wanted: readonly string[], isAll: boolean) {
  const names = ROWS.filter(
    (name) => isAll || wanted.includes('notifications') || wanted.includes(name),
  )
  if (names.length === 0) return
  const rows: Row[] = []
  const measure = (title: string, run: () => Promise<Row>) =>
    check(`notifications: ${title}`, async () => {
      const row = await run()
      rows.push(row)
      return `\n${textOf([row])}\n`
    })
  const upgrade = () => installWithReceiver(source)

  if (names.includes('notification-upgrade')) {
    await namespace.create()
    await mustPass('installs the release before, and a server of merchants', async () => {
      await installEarlier(source)
      await installReceiver()
    })
    await measure('upgrade and rollback', () => upgradeAndRollBack(upgrade))
  }
  const faults = Object.entries(NOTIFICATION_FAULTS).filter(([name]) => names.includes(name))
  if (faults.length > 0) {
    await namespace.create()
    await mustPass('installs the platform, the simulator and a server of merchants', async () => {
      await installSimulator(source)
      await upgrade()
      await installReceiver()
    })
  }
  for (const [name, fault] of faults) {
    await measure(fault.title, () => measureNotifications(name, fault, source))
  }
  if (rows.length === ROWS.length) await writeRows(rows)
}

async function installWithReceiver(source: Source) {
  const payments = (await paymentsValues(source)) as { networkPolicy: object }
  const { notifications, extraEgress } = RECEIVER_VALUES
  await install(source, 'faults.yaml', {
    auth: { database: { instances: 1 } },
    payments: {
      ...payments,
      notifications,
      networkPolicy: { ...payments.networkPolicy, extraEgress },
    },
  })
}
