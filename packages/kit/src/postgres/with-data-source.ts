import { DataSource } from 'typeorm'
import type { DatabaseEnv } from '../config/variables.js'
import { dataSourceOptions } from './pool-options.js'

/** Connects a command to the database while `work` runs. */
export async function withDataSource<T>(
  env: DatabaseEnv,
  work: (source: DataSource) => Promise<T>,
): Promise<T> {
  const source = new DataSource(dataSourceOptions(env, { entities: [], migrations: [] }))
  await source.initialize()
  try {
    return await work(source)
  } finally {
    await source.destroy()
  }
}
