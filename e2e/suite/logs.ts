import { check } from '../checks.ts'
import type { Namespace, Resource } from '../cluster.ts'
import { secrets } from './http.ts'

/** No log of any pod tells a secret or whose phone or email it is: services, databases, Redis, jobs. */

/** What is told by its looks, whoever wrote it. */
const SHAPES: Record<string, RegExp> = {
  'a token': /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/,
  'a hash of a password': /\$2[aby]\$\d\d\$[./\w]{20,}/,
  'a phone': /\+256\d{9}/,
  'an email': /[\w.+-]+@example\.com/,
  'a secret of webhooks': /whsec_[\w+/=]{10,}/,
  'a private key': /PRIVATE KEY|"d":"[\w-]{20,}"/,
}

export async function checkLogs(namespace: Namespace): Promise<void> {
  await check(`no log of ${namespace.name} tells a secret, a phone or an email`, async () => {
    let lines = 0
    const found: string[] = []
    const pods = await namespace.list('pod')
    for (const pod of pods.filter(({ status }) => status.phase !== 'Pending')) {
      for (const text of await logsOf(namespace, pod)) {
        const told = text.split('\n')
        lines += told.length
        found.push(...told.flatMap((line) => faults(line).map((what) => `${nameOf(pod)}: ${what}`)))
      }
    }
    if (found.length > 0) throw new Error([...new Set(found)].join('\n'))
    if (lines < MANY) throw new Error(`only ${lines} lines were found`)
    return `${lines} lines, ${secrets.size} secrets`
  })
}

/** Less than that says that the logs were not read. */
const MANY = 100
const LOG_LIMIT_MS = 60_000

/** The logs of all containers, and of those before them where one began anew. */
async function logsOf(namespace: Namespace, pod: Resource): Promise<string[]> {
  const args = ['logs', nameOf(pod), '--all-containers', '--tail=-1']
  const now = namespace.kubectl(args, { timeoutMs: LOG_LIMIT_MS })
  const restarted = (pod.status.containerStatuses as { name: string; restartCount: number }[])
    .filter(({ restartCount }) => restartCount > 0)
    .map(({ name }) => ['logs', nameOf(pod), `--container=${name}`, '--previous', '--tail=-1'])
  // What was there before may be forgotten already.
  const before = restarted.map((each) => namespace.kubectl(each).catch(() => ''))
  return Promise.all([now, ...before])
}

function faults(line: string): string[] {
  return toldIn(line).map((what) => `${what} in a line that begins ${line.slice(0, 60)}`)
}

/** What a text tells that it should not; the text itself is not repeated. */
export function toldIn(text: string): string[] {
  const shapes = Object.entries(SHAPES).filter(([, shape]) => shape.test(text))
  const isKnown = [...secrets].some((secret) => text.includes(secret))
  return [...shapes.map(([what]) => what), ...(isKnown ? ['a password or token'] : [])]
}

const nameOf = ({ metadata }: Resource) => metadata.name
