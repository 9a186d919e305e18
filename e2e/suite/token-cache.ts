import { check } from '../checks.ts'
import { type Client, register, login } from './http.ts'
import type { Platform } from './platform.ts'

/** Redis shares validation results: a token validated by one replica of payments is a cache hit in the other. */

const PORT = 4000

export async function checkTokenCache(platform: Platform): Promise<void> {
  await check('a token validated by one pod of payments is a cache hit in the other', async () => {
    const [first, second] = await platform.pods('payments')
    if (first === undefined || second === undefined) throw new Error('payments needs two pods')
    const token = await newToken(platform.client)
    const before = await Promise.all([outcomes(platform, first), outcomes(platform, second)])
    await use(platform, first, token)
    await use(platform, second, token)
    const after = await Promise.all([outcomes(platform, first), outcomes(platform, second)])
    const increases = after.map(({ hit, miss }, i) => ({
      hit: hit - (before[i]?.hit ?? 0),
      miss: miss - (before[i]?.miss ?? 0),
    }))
    const expected = [
      { hit: 0, miss: 1 },
      { hit: 1, miss: 0 },
    ]
    if (JSON.stringify(increases) !== JSON.stringify(expected)) {
      throw new Error(JSON.stringify(increases))
    }
  })
}

async function newToken(client: Client): Promise<string> {
  return login(client, await register(client))
}

/** Lists the caller's payments, from inside a pod. */
async function use({ namespace }: Platform, pod: string, token: string): Promise<void> {
  const address = `http://127.0.0.1:${PORT}/api/payments`
  const status = await namespace.node(
    pod,
    `const response = await fetch('${address}', { headers: { authorization: 'Bearer ${token}' } })
     console.log(response.status)`,
  )
  if (status.trim() !== '200') throw new Error(`${pod}: ${status}`)
}

/** A pod's counts of token checks by outcome, from its metrics. */
async function outcomes({ namespace }: Platform, pod: string) {
  const text = await namespace.node(
    pod,
    `console.log(await (await fetch('http://127.0.0.1:${PORT}/metrics')).text())`,
  )
  const count = (outcome: string) =>
    Number(
      new RegExp(`^token_checks_total\\{outcome="${outcome}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0,
    )
  return { hit: count('hit'), miss: count('miss') }
}
