import { runCommand, UsageError } from '@malipo/kit/command'
import { withDataSource } from '@malipo/kit/postgres/with-data-source'
import { seal, unseal, UnsealError } from '@malipo/kit/seal/seal'
import { readSealKeys, type SealKey, sealingKey } from '@malipo/kit/seal/seal-keys'
import type { DataSource } from 'typeorm'
import { readResealEnv } from '../env.js'
import { subjectOf } from '../webhook-endpoints/endpoint-secrets.js'
import {
  outdatedSecrets,
  replaceSealed,
  type StoredSeal,
} from '../webhook-endpoints/reseal.store.js'

const USAGE = `reseal

Seals the secrets of webhook endpoints again, with the key of WEBHOOK_ENCRYPTION_KEYS_DIR that seals now. Afterwards the
earlier keys can be removed. It may be repeated, and run while the service runs.`

/** The command uses the service's environment, for example in its pod. */
await runCommand('reseal', async () => {
  if (process.argv.length > 2) throw new UsageError(USAGE)
  const env = readResealEnv()
  const keys = readSealKeys(env.WEBHOOK_ENCRYPTION_KEYS_DIR)
  return withDataSource(env, async (source) => {
    return await resealAll(source, keys)
  })
})

async function resealAll(source: DataSource, keys: readonly SealKey[]): Promise<string[]> {
  const key = sealingKey(keys, Date.now() / 1000)
  let count = 0
  const lines: string[] = []
  for await (const secret of outdatedSecrets(source, key.kid)) {
    const bytes = sealedAgain(secret, keys, key)
    if (bytes) count += await replaceSealed(source, secret, { kid: key.kid, bytes })
    else lines.push(unreadable(secret))
  }
  if (lines.length > 0) process.exitCode = 1
  return [...lines, `${count} secrets sealed with ${key.kid}`]
}

/** undefined if the key of the secret is missing, or its row was changed. */
function sealedAgain(
  { endpointId, scheme, kid, sealed }: StoredSeal,
  keys: readonly SealKey[],
  key: SealKey,
): Buffer | undefined {
  const subject = subjectOf(endpointId, scheme)
  try {
    return seal(key, subject, unseal(keys, subject, { kid, bytes: sealed })).bytes
  } catch (error) {
    if (error instanceof UnsealError) return undefined
    throw error
  }
}

function unreadable({ nth, endpointId, kid }: StoredSeal): string {
  return `the secret ${nth} of the endpoint ${endpointId} can’t be opened with the key ${kid}`
}
