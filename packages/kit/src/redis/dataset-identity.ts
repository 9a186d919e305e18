import { randomUUID } from 'node:crypto'
import { type Redis as Client, ReplyError } from 'ioredis'

const RETRY_AFTER_MS = 500

/**
 * Names the data set behind a connection, by the server's run id and its replication id. The name changes after a
 * restart, and after a replica was promoted: the last writes may then be missing, or older data be back. If the
 * Redis user may not run INFO, each connection gets a random name.
 */
export class DatasetIdentity {
  private name: string | undefined

  constructor(private readonly client: Client) {
    client.on('ready', () => void this.load())
    client.on('close', () => (this.name = undefined))
  }

  /** Undefined while unknown. */
  get current(): string | undefined {
    return this.name
  }

  private async load(): Promise<void> {
    try {
      this.name = nameOf(await this.client.info())
    } catch (error) {
      if (error instanceof ReplyError) this.name = randomUUID()
      else if (this.client.status === 'ready') {
        setTimeout(() => void this.load(), RETRY_AFTER_MS).unref()
      }
    }
  }
}

function nameOf(info: string): string {
  const runId = /^run_id:(\w+)/m.exec(info)?.[1]
  const replicationId = /^master_replid:(\w+)/m.exec(info)?.[1]
  return runId && replicationId ? `${runId}:${replicationId}` : randomUUID()
}
