import { check, mustPass } from '../checks.ts'
import { install, type Source } from './install.ts'
import { boundText, type Row, textOf, writeRows } from './providers/report.ts'
import { hasPlugin } from './restore.ts'
import { installForRestore, restoreCharges } from './providers/restore.ts'
import { measureCharges, PROVIDER_FAULTS } from './providers/rows.ts'
import { installSimulator, paymentsValues } from './providers/simulator.ts'
import { installEarlier, upgradeAndRollBack } from './providers/upgrade.ts'
import { namespace } from './release.ts'

/** The rows with payments at the simulator, by name. */

const ROWS = ['provider-upgrade', ...Object.keys(PROVIDER_FAULTS), 'provider-restore']

/** @param wanted names of rows, or `providers` for all */
export async function providerRows(source: Source, wanted: readonly string[], isAll: boolean) {
  const names = ROWS.filter(
    (name) => isAll || wanted.includes('providers') || wanted.includes(name),
  )
  if (names.length === 0) return
  console.log(boundText())
  const rows: Row[] = []
  const measure = (title: string, run: () => Promise<Row>) =>
    check(title, async () => {
      const row = await run()
      rows.push(row)
      return `\n${textOf([row])}\n`
    })
  const upgrade = async () => installWithProviders(source)

  if (names.includes('provider-upgrade')) {
    await namespace.create()
    await mustPass('installs the release before', () => installEarlier(source))
    await measure('payments at a provider: upgrade and rollback', () => upgradeAndRollBack(upgrade))
  }
  const faults = Object.entries(PROVIDER_FAULTS).filter(([name]) => names.includes(name))
  if (faults.length > 0) {
    await namespace.create()
    await mustPass('installs the platform and the simulator', async () => {
      await installSimulator(source)
      await upgrade()
    })
  }
  for (const [name, fault] of faults) {
    await measure(`payments at a provider: ${fault.title}`, () =>
      measureCharges(name, fault, source),
    )
  }
  if (names.includes('provider-restore') && (await hasPlugin())) {
    await namespace.create()
    await mustPass('installs the platform with backups and the simulator', () =>
      installForRestore(source),
    )
    await measure('payments at a provider: restore', () => restoreCharges(source))
  }
  if (rows.length === ROWS.length) await writeRows(rows)
}

async function installWithProviders(source: Source) {
  const payments = await paymentsValues(source)
  await install(source, 'faults.yaml', { auth: { database: { instances: 1 } }, payments })
}
