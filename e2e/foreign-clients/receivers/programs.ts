import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { run } from '../../cluster.ts'
import { INSTALL_LIMIT_MS } from '../../pinned-tools.ts'
import { FOLDER, GO, NPM, PYTHON } from '../tools.ts'
import { readSnippets, snippet } from './snippets.ts'

/** The receivers of the page, ready to run. */

export type Scheme = 'v1' | 'v1a'

export interface Program {
  readonly name: string
  readonly scheme: Scheme
  readonly command: readonly string[]
}

const PY = `${FOLDER}/python`
const PHP = `${FOLDER}/php`
const PHP_LIBRARY = 'standard-webhooks/standard-webhooks'

const NODE_ASYMMETRIC = {
  "import { Webhook } from 'standardwebhooks'":
    "import { AsymmetricWebhook as Webhook } from './asymmetric-webhook.mjs'",
}
const PYTHON_ASYMMETRIC = {
  'from standardwebhooks import Webhook, WebhookVerificationError':
    'from asymmetric_webhook import AsymmetricWebhook as Webhook\nfrom standardwebhooks import WebhookVerificationError',
}
const GO_ASYMMETRIC = {
  '\tstandardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"\n': '',
  'standardwebhooks.NewWebhook': 'NewAsymmetricWebhook',
}

/** Writes and builds the programs for Node.js, Python and Go. */
export async function buildReceivers(): Promise<readonly Program[]> {
  const snippets = await readSnippets()
  await writeAll({
    [`${NPM}/receiver.mjs`]: snippet(snippets, 'receiver.mjs'),
    [`${NPM}/receiver-v1a.mjs`]: snippet(snippets, 'receiver.mjs', NODE_ASYMMETRIC),
    [`${NPM}/asymmetric-webhook.mjs`]: snippet(snippets, 'asymmetric-webhook.mjs'),
    [`${NPM}/catch-up.mjs`]: snippet(snippets, 'catch-up.mjs'),
    [`${PY}/receiver.py`]: snippet(snippets, 'receiver.py'),
    [`${PY}/receiver_v1a.py`]: snippet(snippets, 'receiver.py', PYTHON_ASYMMETRIC),
    [`${PY}/asymmetric_webhook.py`]: snippet(snippets, 'asymmetric_webhook.py'),
    [`${GO}/v1/main.go`]: snippet(snippets, 'receiver.go'),
    [`${GO}/v1a/main.go`]: snippet(snippets, 'receiver.go', GO_ASYMMETRIC),
    [`${GO}/v1a/asymmetric_webhook.go`]: snippet(snippets, 'asymmetric_webhook.go'),
  })
  const env = { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' }
  const build = ['build', '-o', `${GO}/bin/`, './v1', './v1a']
  await run('go', build, { cwd: GO, env, timeoutMs: INSTALL_LIMIT_MS })
  const node = process.execPath
  return [
    { name: 'npm standardwebhooks', scheme: 'v1', command: [node, `${NPM}/receiver.mjs`] },
    { name: 'node:crypto', scheme: 'v1a', command: [node, `${NPM}/receiver-v1a.mjs`] },
    { name: 'PyPI standardwebhooks', scheme: 'v1', command: [PYTHON, `${PY}/receiver.py`] },
    { name: 'PyPI PyNaCl', scheme: 'v1a', command: [PYTHON, `${PY}/receiver_v1a.py`] },
    { name: 'Go standardwebhooks', scheme: 'v1', command: [`${GO}/bin/v1`] },
    { name: 'Go crypto/ed25519', scheme: 'v1a', command: [`${GO}/bin/v1a`] },
  ]
}

/** Writes the program for PHP. @returns why it can't run here, if PHP or Composer is missing */
export async function buildPhpReceiver(port: number): Promise<Program | string> {
  for (const program of ['php', 'composer']) {
    const isThere = await run(program, ['--version']).then(
      () => true,
      () => false,
    )
    if (!isThere) return `${program} is not installed`
  }
  await writeAll({ [`${PHP}/receiver.php`]: snippet(await readSnippets(), 'receiver.php') })
  const args = ['require', '--quiet', '--no-interaction', PHP_LIBRARY]
  await run('composer', args, { cwd: PHP, timeoutMs: INSTALL_LIMIT_MS })
  const command = ['php', '-S', `127.0.0.1:${port}`, `${PHP}/receiver.php`]
  return { name: 'PHP standard-webhooks', scheme: 'v1', command }
}

async function writeAll(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
}
