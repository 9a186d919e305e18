import type {} from '@malipo/testing/global-setup'
import { freshDatabase } from '@malipo/testing/database'
import type { TestProject } from 'vitest/node'
import { startAuth } from './auth.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL of auth in `sandbox` mode, in which users may settle their own payments. */
    authUrl: string
    authDatabaseUrl: string
    /** The URL of auth in `live` mode, in which users may not settle payments. */
    liveAuthUrl: string
    liveAuthDatabaseUrl: string
  }
}

/** Starts two real auth services for the tests, each on its own database. */
export default async function setup(project: TestProject) {
  const { postgresUrl, redisUrl } = project.getProvidedContext()
  const start = async (mode: string) => {
    const url = await freshDatabase(`auth_${mode}`, postgresUrl)
    // Both services count in one Redis, and live mode allows only 20 registrations per minute by default.
    const service = await startAuth({
      MODE: mode,
      DATABASE_URL: url,
      REDIS_URL: redisUrl,
      REGISTRATIONS_PER_MINUTE: '10000',
    })
    return { service, url }
  }
  const [sandbox, live] = await Promise.all([start('sandbox'), start('live')])
  project.provide('authUrl', sandbox.service.url)
  project.provide('authDatabaseUrl', sandbox.url)
  project.provide('liveAuthUrl', live.service.url)
  project.provide('liveAuthDatabaseUrl', live.url)
  return async () => {
    await Promise.all([sandbox.service.stop(), live.service.stop()])
  }
}
