import { runCommand } from '@malipo/kit/command'
import { withDataSource } from '@malipo/kit/postgres/with-data-source'
import type { DataSource } from 'typeorm'
import { readVerificationEnv } from '../env.js'
import { findKeys, findMessages } from '../webhooks/evidence.store.js'
import { type StoredMessage, type Verification, verifyMessage } from '../webhooks/evidence.js'
import type { ProviderSecret } from '../webhooks/signature.js'
import { type MessagesCommand, parseCommand } from './messages-command.js'

/** Results that are no failure. */
const FINE: readonly Verification[] = ['valid', 'unsigned', 'erased']

type VerificationEnv = ReturnType<typeof readVerificationEnv>

/** The command uses the service's environment, for example in its pod. It writes nothing. */
await runCommand('messages', async () => {
  const command = parseCommand(process.argv.slice(2))
  const env = readVerificationEnv()
  return withDataSource(env, async (source) => {
    if (command.verb === 'keys') return await keys(source, env)
    return await messages(source, command, [...env.active, ...env.retired])
  })
})

/** Prints each message as it is read, since there may be millions. */
async function messages(
  source: DataSource,
  command: MessagesCommand,
  secrets: readonly ProviderSecret[],
): Promise<string[]> {
  const counts = new Map<Verification, number>()
  for await (const message of findMessages(source, command)) {
    const result = verifyMessage(message, secrets)
    counts.set(result, (counts.get(result) ?? 0) + 1)
    const line = command.verb === 'export' ? exported(message, result) : lineOf(message, result)
    process.stdout.write(`${line}\n`)
  }
  const found = [...counts].map(([result, count]) => `${count} ${result}`)
  const failed = [...counts.keys()].some((result) => !FINE.includes(result))
  if (failed || counts.size === 0) process.exitCode = 1
  if (command.verb === 'export') return []
  return [counts.size === 0 ? 'no message found' : `verified: ${found.join(', ')}`]
}

function lineOf(message: StoredMessage, result: Verification): string {
  const { id, source, webhookId, reading, outcome, keyId, receivedAt } = message
  const columns = [
    result,
    id,
    source,
    JSON.stringify(webhookId),
    JSON.stringify(reading.reference),
    reading.status,
    outcome,
    `key=${keyId ?? '-'}`,
    `signed=${signedAt(message)}`,
    `received=${receivedAt}`,
  ]
  return columns.join(' ')
}

function signedAt({ headers }: StoredMessage): string {
  const seconds = Number.parseInt(headers['webhook-timestamp'] ?? '', 10)
  const time = new Date(seconds * 1000)
  return Number.isNaN(time.getTime()) ? '-' : time.toISOString()
}

function exported({ body, ...message }: StoredMessage, verification: Verification): string {
  return JSON.stringify({ ...message, body: body.toString('base64'), verification })
}

async function keys(source: DataSource, { active, retired }: VerificationEnv): Promise<string[]> {
  const stored = await findKeys(source)
  const stateOf = (keyId: string) => {
    const has = (secrets: readonly ProviderSecret[]) =>
      secrets.some((secret) => secret.keyId === keyId)
    return has(active) ? 'active' : has(retired) ? 'retired' : 'missing'
  }
  if (stored.some(({ keyId }) => stateOf(keyId) === 'missing')) process.exitCode = 1
  return stored.map(
    ({ source: sender, keyId, messages: count, lastUsedAt }) =>
      `${keyId} ${stateOf(keyId)} ${sender} messages=${count} last=${lastUsedAt}`,
  )
}
