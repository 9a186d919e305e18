import { loadavg } from 'node:os'
import { check } from '../checks.ts'
import { eventually } from '../cluster.ts'
import { createPayment, register, login } from './http.ts'
import { type Platform, selectorOf, type Service, SERVICES } from './platform.ts'

/** Resources of a pod: time until it is ready, and peak memory under light load. */

const READY_WITHIN_S = 5
/** The best of several attempts, since the machine may be busy. */
const ATTEMPTS = 3
const LIMIT_MIB = 256
const PAYMENTS = 400
const CONCURRENCY = 20

export async function checkPodResources(platform: Platform): Promise<void> {
  for (const service of SERVICES) {
    await check(`a new pod of ${service} is ready within ${READY_WITHIN_S} s`, async () => {
      const seconds: number[] = []
      while (seconds.length < ATTEMPTS) {
        seconds.push(await secondsOfNewPod(platform, service))
        if (Math.min(...seconds) <= READY_WITHIN_S) return `${seconds.join(', then ')} s`
      }
      throw new Error(`${seconds.join(', then ')} s; load ${loadavg()[0]?.toFixed(1)}`)
    })
  }
  await check(
    `pods stay below ${LIMIT_MIB} MiB during ${PAYMENTS} payments, ${CONCURRENCY} concurrently`,
    async () => {
      const { client } = platform
      const token = await login(client, await register(client))
      const queue = Array(PAYMENTS).values()
      const worker = async () => {
        for (const _ of queue) await createPayment(client, token)
      }
      await Promise.all(Array.from({ length: CONCURRENCY }, worker))
      const sizes: number[] = []
      for (const service of SERVICES) {
        for (const pod of await platform.pods(service)) sizes.push(await peakMiB(platform, pod))
      }
      if (Math.max(...sizes) >= LIMIT_MIB) throw new Error(sizes.join(', '))
      return `${Math.max(...sizes)} MiB at most`
    },
  )
}

/** Deletes a pod and measures how long its replacement takes from its start until it is ready. */
async function secondsOfNewPod(platform: Platform, service: Service): Promise<number> {
  const { namespace } = platform
  const old = await platform.pods(service)
  await namespace.kubectl(['delete', 'pod', old[0] ?? '', '--wait=false'])
  return eventually('a new pod that is ready', async () => {
    const pods = await namespace.list('pod', selectorOf(service))
    const replacement = pods.find(({ metadata }) => !old.includes(metadata.name))
    return secondsToReady(replacement?.status as Status | undefined)
  })
}

interface Status {
  readonly conditions?: readonly { type: string; status: string; lastTransitionTime: string }[]
  readonly containerStatuses?: readonly { state: { running?: { startedAt: string } } }[]
}

/** Kubernetes records both times in whole seconds. */
function secondsToReady(status: Status | undefined): number {
  const started = status?.containerStatuses?.[0]?.state.running?.startedAt
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  if (started === undefined || ready?.status !== 'True') throw new Error('not ready')
  return (Date.parse(ready.lastTransitionTime) - Date.parse(started)) / 1000
}

/** The peak resident memory of a pod's process, from the kernel. */
async function peakMiB({ namespace }: Platform, pod: string): Promise<number> {
  const program = `import { readFileSync } from 'node:fs'
    console.log(/^VmHWM:\\s+(\\d+) kB/m.exec(readFileSync('/proc/1/status', 'utf8'))[1])`
  return Math.round(Number(await namespace.node(pod, program)) / 1024)
}
