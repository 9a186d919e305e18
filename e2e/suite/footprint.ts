import { loadavg } from 'node:os'
import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { pay, register, tokenOf } from './http.ts'
import { type Platform, selectorOf, type Service, SERVICES } from './platform.ts'

/** What a service's pod takes: time until it is ready, and memory under a little load. */

const READY_WITHIN_S = 5
/** What it can do is asked, not how busy the machine is just now. */
const TRIES = 3
const LIMIT_MIB = 256
const PAYMENTS = 400
const AT_ONCE = 20

export async function checkFootprint(platform: Platform): Promise<void> {
  for (const service of SERVICES) {
    await check(
      `a new pod of ${service} is ready within ${READY_WITHIN_S} s of its start`,
      async () => {
        const tried: number[] = []
        while (tried.length < TRIES) {
          tried.push(await secondsOfNewPod(platform, service))
          if (Math.min(...tried) <= READY_WITHIN_S) return `${tried.join(', then ')} s`
        }
        throw new Error(`${tried.join(', then ')} s; load ${loadavg()[0]?.toFixed(1)}`)
      },
    )
  }
  await check(
    `pods stay under ${LIMIT_MIB} MiB with ${PAYMENTS} payments at ${AT_ONCE} a time`,
    async () => {
      const { client } = platform
      const token = await tokenOf(client, await register(client))
      const left = Array(PAYMENTS).values()
      const worker = async () => {
        for (const _ of left) await pay(client, token)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      const sizes: number[] = []
      for (const service of SERVICES) {
        for (const pod of await platform.pods(service)) sizes.push(await peakMiB(platform, pod))
      }
      if (Math.max(...sizes) >= LIMIT_MIB) throw new Error(sizes.join(', '))
      return `${Math.max(...sizes)} MiB at most`
    },
  )
}

/** Takes a pod away, and tells how long the one in its place was running when it was ready. */
async function secondsOfNewPod(platform: Platform, service: Service): Promise<number> {
  const { namespace } = platform
  const old = await platform.pods(service)
  await namespace.kubectl(['delete', 'pod', old[0] ?? '', '--wait=false'])
  return eventually('a new pod that is ready', async () => {
    const pods = await namespace.list('pod', selectorOf(service))
    const fresh = pods.find(({ metadata }) => !old.includes(metadata.name))
    return secondsToReady(fresh?.status as Status | undefined)
  })
}

interface Status {
  readonly conditions?: readonly { type: string; status: string; lastTransitionTime: string }[]
  readonly containerStatuses?: readonly { state: { running?: { startedAt: string } } }[]
}

/** The cluster tells both times in whole seconds. */
function secondsToReady(status: Status | undefined): number {
  const started = status?.containerStatuses?.[0]?.state.running?.startedAt
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  if (started === undefined || ready?.status !== 'True') throw new Error('it is not ready')
  return (Date.parse(ready.lastTransitionTime) - Date.parse(started)) / 1000
}

/** The most memory that a pod's process ever had, from the kernel. */
async function peakMiB({ namespace }: Platform, pod: string): Promise<number> {
  const program = `import { readFileSync } from 'node:fs'
    console.log(/^VmHWM:\\s+(\\d+) kB/m.exec(readFileSync('/proc/1/status', 'utf8'))[1])`
  return Math.round(Number(await namespace.node(pod, program)) / 1024)
}
