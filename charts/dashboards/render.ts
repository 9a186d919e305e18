import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { auth } from './auth.ts'
import { databases } from './databases.ts'
import { nodeRuntime } from './node-runtime.ts'
import { notifications } from './notifications.ts'
import { overview } from './overview.ts'
import { dashboard } from './dashboard.ts'
import { payments } from './payments.ts'
import { providers } from './providers.ts'
import { tokenCheck } from './token-check.ts'

// Renders the dashboards into the platform chart. `npm run dashboards` writes them; with `-- --check` it fails if
// they are out of date.

const FOLDER = new URL('../platform/files/dashboards/', import.meta.url)
const check = process.argv.includes('--check')

let upToDate = true
mkdirSync(FOLDER, { recursive: true })
for (const spec of [
  overview,
  payments,
  providers,
  notifications,
  auth,
  tokenCheck,
  nodeRuntime,
  databases,
]) {
  const url = new URL(`${spec.uid.replace('malipo-', '')}.json`, FOLDER)
  const options = { ...(await resolveConfig(url.pathname)), parser: 'json' }
  const text = await format(JSON.stringify(dashboard(spec)), options)
  const isSame = existsSync(url) && readFileSync(url, 'utf8') === text
  if (!check) writeFileSync(url, text)
  else if (!isSame) console.error(`${url.pathname} is out of date: npm run dashboards`)
  upToDate &&= isSame
}
process.exit(check && !upToDate ? 1 : 0)
