import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { inject } from 'vitest'

/** Creates an empty database on the tests' PostgreSQL and returns its URL. */
export async function freshDatabase(name: string, server = inject('postgresUrl')): Promise<string> {
  const database = `${name}_${randomBytes(4).toString('hex')}`
  await query(server, `CREATE DATABASE ${database}`)
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}

/** Runs one statement on a separate connection. */
export async function query<Row extends object>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text, values)).rows as Row[]
  } finally {
    await client.end()
  }
}
