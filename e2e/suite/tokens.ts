import { check } from '../checks.ts'
import { type Client, register, tokenOf } from './http.ts'
import type { Platform } from './platform.ts'

/** A token that one replica of payments had checked is known to the other: Redis shares the answer. */

const PORT = 4000

export async function checkTokenCache(platform: Platform): Promise<void> {
  await check('a token checked through one pod of payments is a hit in the other', async () => {
    const [first, second] = await platform.pods('payments')
    if (first === undefined || second === undefined) throw new Error('payments needs two pods')
    const token = await freshToken(platform.client)
    const before = await Promise.all([outcomes(platform, first), outcomes(platform, second)])
    await use(platform, first, token)
    await use(platform, second, token)
    const after = await Promise.all([outcomes(platform, first), outcomes(platform, second)])
    const grew = after.map((now, i) => ({
      hit: now.hit - (before[i]?.hit ?? 0),
      miss: now.miss - (before[i]?.miss ?? 0),
    }))
    const expected = [
      { hit: 0, miss: 1 },
      { hit: 1, miss: 0 },
    ]
    if (JSON.stringify(grew) !== JSON.stringify(expected)) throw new Error(JSON.stringify(grew))
  })
}

async function freshToken(client: Client): Promise<string> {
  return tokenOf(client, await register(client))
}

/** Asks a pod for the caller's payments, from inside it. */
async function use({ namespace }: Platform, pod: string, token: string): Promise<void> {
  const address = `http://127.0.0.1:${PORT}/api/payments`
  const status = await namespace.node(
    pod,
    `const answer = await fetch('${address}', { headers: { authorization: 'Bearer ${token}' } })
     console.log(answer.status)`,
  )
  if (status.trim() !== '200') throw new Error(`${pod}: ${status}`)
}

/** How often a pod's checks of tokens ended which way, by its metrics. */
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
