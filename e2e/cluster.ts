import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How the suites speak to a cluster: by the programs that people use, `kubectl` and `helm`, against whatever
 * KUBECONFIG names. Every call has a time limit, and one that fails throws what the program said.
 */

export interface RunOptions {
  /** What the program reads. */
  readonly input?: string
  /** After this long it is ended, and the call fails. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  /** Is given all that it has written so far, each time that it writes. */
  readonly heard?: (output: string) => void
}

const TIMEOUT_MS = 60_000
/** Enough for any listing here; more is a mistake. */
const MOST_OUTPUT = 32 * 1024 * 1024

/** A program that failed; the message is its command and what it said. */
export class CommandError extends Error {
  readonly output: string

  constructor(command: string, status: number | null, output: string) {
    super(`${command}: ${output.trim() || `ended with ${status}`}`)
    this.name = 'CommandError'
    this.output = output
  }
}

/**
 * Runs a program and gives what it wrote to its standard output.
 *
 * @throws CommandError when it fails or takes longer than `timeoutMs`
 */
export async function run(
  program: string,
  args: readonly string[],
  { input = '', timeoutMs = TIMEOUT_MS, env = {}, heard }: RunOptions = {},
): Promise<string> {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    heard?.(out)
    if (out.length > MOST_OUTPUT) child.kill('SIGKILL')
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  // A program that ends without reading is no fault.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const ended = Promise.withResolvers<number | null>()
  child.on('error', ended.reject)
  child.on('close', ended.resolve)
  const status = await ended.promise
  if (status !== 0) {
    const shown = [program, ...args].join(' ').slice(0, 200)
    const limit = child.signalCode ? `\nended by ${child.signalCode} (limit ${timeoutMs} ms)` : ''
    throw new CommandError(shown, status, `${err}${out}${limit}`)
  }
  return out
}

/** What a suite needs of a Kubernetes object. */
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
  // oxlint-disable-next-line typescript/no-explicit-any -- each kind has its own, and tests look at many
  readonly spec?: any
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly status?: any
  /** Of a Secret. */
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

  /** Creates it anew, with Pod Security `restricted` enforced; what an earlier run left goes first. */
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
    // Pods are refused until their ServiceAccount is there.
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

  /** The names of a service's running pods that are not on their way out. */
  async pods(selector: string): Promise<string[]> {
    const all = await this.list('pod', selector)
    return all
      .filter(({ metadata, status }) => !metadata.deletionTimestamp && status.phase === 'Running')
      .map(({ metadata }) => metadata.name)
  }

  /** A value of a Secret, decoded. */
  async secret(name: string, key: string): Promise<string> {
    const { data } = await this.get('secret', name)
    const value = data?.[key]
    if (value === undefined) throw new Error(`the Secret ${name} has no ${key}`)
    return Buffer.from(value, 'base64').toString()
  }

  apply(...manifests: readonly object[]): Promise<string> {
    return apply(...manifests.map((manifest) => ({ ...manifest, ...this.inside(manifest) })))
  }

  exec(pod: string, command: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.kubectl(['exec', pod, '--', ...command], options)
  }

  /** Runs a piece of JavaScript inside a service's pod, whose image has Node and no shell. */
  node(pod: string, program: string, options: RunOptions = {}): Promise<string> {
    return this.exec(pod, ['/nodejs/bin/node', '--input-type=module', '--eval', program], options)
  }

  private inside(manifest: object) {
    const { metadata } = manifest as { metadata?: object }
    return { metadata: { namespace: this.name, ...metadata } }
  }
}

/** Makes objects as they are described. */
export function apply(...manifests: readonly object[]): Promise<string> {
  const list = { apiVersion: 'v1', kind: 'List', items: manifests }
  return run('kubectl', ['apply', '--filename=-'], { input: JSON.stringify(list) })
}

/**
 * Tries until `look` no longer throws, and gives what it gave.
 *
 * @throws the last error, once `limitMs` are over
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T>,
  { limitMs = 60_000, everyMs = 500 } = {},
): Promise<T> {
  for (const deadline = Date.now() + limitMs; ; await sleep(everyMs)) {
    try {
      return await look()
    } catch (error) {
      if (Date.now() > deadline) {
        throw new Error(`${what}: not within ${limitMs / 1000} s`, { cause: error })
      }
    }
  }
}
