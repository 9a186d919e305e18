import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Access to the cluster of KUBECONFIG, by the programs that people use, `kubectl` and `helm`. Every call has a
 * timeout, and a failed call throws with the program's output.
 */

export interface RunOptions {
  /** Standard input of the program. */
  readonly input?: string
  /** After this time the program is killed and the call fails. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  /** The working directory; default: that of this process. */
  readonly cwd?: string
  /** Called on every write with all output so far. */
  readonly onOutput?: (output: string) => void
}

const TIMEOUT_MS = 60_000
/** Larger than any expected output. */
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024

/** A failed program; the message contains its command and its output. */
export class CommandError extends Error {
  readonly output: string

  constructor(command: string, status: number | null, output: string) {
    super(`${command}: ${output.trim() || `exit status ${status}`}`)
    this.name = 'CommandError'
    this.output = output
  }
}

/**
 * Runs a program and returns its standard output.
 *
 * @throws CommandError if it fails or takes longer than `timeoutMs`
 */
export async function run(
  program: string,
  args: readonly string[],
  { input = '', timeoutMs = TIMEOUT_MS, env = {}, cwd, onOutput }: RunOptions = {},
): Promise<string> {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    cwd,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    onOutput?.(out)
    if (out.length > MAX_OUTPUT_BYTES) child.kill('SIGKILL')
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  // A program may exit without reading its input.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const ended = Promise.withResolvers<number | null>()
  child.on('error', ended.reject)
  child.on('close', ended.resolve)
  const status = await ended.promise
  if (status !== 0) {
    const command = [program, ...args].join(' ').slice(0, 200)
    const limit = child.signalCode ? `\nkilled by ${child.signalCode} (limit ${timeoutMs} ms)` : ''
    throw new CommandError(command, status, `${err}${out}${limit}`)
  }
  return out
}

/** The fields of a Kubernetes object that the suites use. */
export interface Resource {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly namespace?: string
    readonly creationTimestamp?: string
    readonly deletionTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  // oxlint-disable-next-line typescript/no-explicit-any -- differs for each kind
  readonly spec?: any
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly status?: any
  /** Only of a Secret. */
  readonly type?: string
  readonly data?: Readonly<Record<string, string>>
}

/** `kubectl` in one namespace. */
export class Namespace {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return run('kubectl', ['--namespace', this.name, ...args], options)
  }

  /** Creates the namespace with Pod Security `restricted`; deletes the one of an earlier run first. */
  async create(): Promise<void> {
    await this.remove()
    await apply({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: this.name,
        labels: {
          'pod-security.kubernetes.io/enforce': 'restricted',
          'pod-security.kubernetes.io/enforce-version': 'latest',
        },
      },
    })
    // Pods are rejected until their ServiceAccount exists.
    await eventually('the default ServiceAccount', async () => {
      await this.kubectl(['get', 'serviceaccount', 'default'])
    })
  }

  async remove(): Promise<void> {
    const args = ['delete', 'namespace', this.name, '--ignore-not-found', '--timeout=120s']
    await run('kubectl', args, { timeoutMs: 130_000 })
  }

  async get(kind: string, name: string): Promise<Resource> {
    return JSON.parse(await this.kubectl(['get', kind, name, '--output=json'])) as Resource
  }

  async list(kind: string, selector = ''): Promise<Resource[]> {
    const by = selector ? [`--selector=${selector}`] : []
    const text = await this.kubectl(['get', kind, ...by, '--output=json'])
    return (JSON.parse(text) as { items: Resource[] }).items
  }

  /** The names of running pods that are not being deleted. */
  async pods(selector: string): Promise<string[]> {
    const all = await this.list('pod', selector)
    return all
      .filter(({ metadata, status }) => !metadata.deletionTimestamp && status.phase === 'Running')
      .map(({ metadata }) => metadata.name)
  }

  /** The decoded value of a key in a Secret. */
  async secret(name: string, key: string): Promise<string> {
    const { data } = await this.get('secret', name)
    const value = data?.[key]
    if (value === undefined) throw new Error(`the Secret ${name} has no ${key}`)
    return Buffer.from(value, 'base64').toString()
  }

  apply(...manifests: readonly object[]): Promise<string> {
    return apply(...manifests.map((manifest) => ({ ...manifest, ...this.withNamespace(manifest) })))
  }

  exec(pod: string, command: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.kubectl(['exec', pod, '--', ...command], options)
  }

  /** Runs JavaScript in a service's pod; the image has Node.js but no shell. */
  node(pod: string, program: string, options: RunOptions = {}): Promise<string> {
    return this.exec(pod, ['/nodejs/bin/node', '--input-type=module', '--eval', program], options)
  }

  private withNamespace(manifest: object) {
    const { metadata } = manifest as { metadata?: object }
    return { metadata: { namespace: this.name, ...metadata } }
  }
}

/** Applies manifests. */
export function apply(...manifests: readonly object[]): Promise<string> {
  const list = { apiVersion: 'v1', kind: 'List', items: manifests }
  return run('kubectl', ['apply', '--filename=-'], { input: JSON.stringify(list) })
}

/**
 * Retries `attempt` until it no longer throws, and returns its result.
 *
 * @throws Error with the last error as its cause, after `limitMs`
 */
export async function eventually<T>(
  what: string,
  attempt: () => Promise<T>,
  { limitMs = 60_000, everyMs = 500 } = {},
): Promise<T> {
  for (const deadline = Date.now() + limitMs; ; await sleep(everyMs)) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() > deadline) {
        throw new Error(`${what}: not within ${limitMs / 1000} s`, { cause: error })
      }
    }
  }
}
