// Both services, created as at start but connected to nothing: what the generated pages and the language
// check read metrics and OpenAPI texts from.
import { createApp } from '@malipo/kit/bootstrap'
import { AppModule as Auth } from '../services/auth/dist/app.module.js'
import { readEnv as readAuthEnv } from '../services/auth/dist/env.js'
import { AppModule as Payments } from '../services/payments/dist/app.module.js'
import { readEnv as readPaymentsEnv } from '../services/payments/dist/env.js'

/** Enough to create a service. */
const ENV = {
  MODE: 'sandbox',
  LOG_LEVEL: 'silent',
  DATABASE_URL: 'postgres://none@127.0.0.1:1/none',
  REDIS_URL: 'redis://127.0.0.1:1',
  JWT_SECRET: 'a secret of thirty-two bytes, or more',
  AUTH_SERVICE_URL: 'http://127.0.0.1:1',
}

const SERVICES = {
  auth: () => createApp(Auth, readAuthEnv(ENV)),
  payments: () => createApp(Payments, readPaymentsEnv(ENV)),
}

/** @param {keyof typeof SERVICES} name */
export const createService = (name) => SERVICES[name]()

/** The OpenAPI document that a service serves at /docs-json. */
export async function openApiOf(name) {
  const app = await createService(name)
  await app.init()
  const { body } = await app.getHttpAdapter().getInstance().inject('/docs-json')
  return JSON.parse(body)
}
