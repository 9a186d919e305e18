import { query } from '@malipo/testing/database'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { newMerchant } from './api-keys.js'
import { type Auth, isValid, newPerson, startAuth } from './auth.js'

/** After a rollback, the service has the privileges that release 0.1.0 grants to its role. */
const RIGHTS_OF_0_1_0 = `
  GRANT SELECT, INSERT, UPDATE ON users TO service_0_1_0;
  GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, login_attempts TO service_0_1_0;
  GRANT SELECT, INSERT, DELETE ON revocation_outbox TO service_0_1_0;
  GRANT SELECT, INSERT ON audit_events TO service_0_1_0`

let auth: Auth
beforeAll(async () => {
  auth = await startAuth()
  await query(auth.databaseUrl, `CREATE ROLE service_0_1_0; ${RIGHTS_OF_0_1_0}`)
})
afterAll(async () => {
  await auth.close()
  await query(auth.databaseUrl, 'DROP OWNED BY service_0_1_0; DROP ROLE service_0_1_0')
})

it('registers users and removes scopes with the privileges of release 0.1.0', async () => {
  const merchant = await newMerchant(auth)
  const { key } = await merchant.newKey({ scopes: ['payments:write'] })
  const { phone, email } = newPerson()
  const connection = new Client({ connectionString: auth.databaseUrl })
  await connection.connect()
  try {
    await connection.query('SET ROLE service_0_1_0')
    await connection.query(
      `INSERT INTO users (id, phone, email, password_hash) VALUES (uuidv7(), $1, $2, $3)`,
      [phone, email, `$2b$04$${'K'.repeat(53)}`],
    )
    await connection.query(`UPDATE users SET scopes = '{payments:read}' WHERE id = $1`, [
      merchant.sub,
    ])
  } finally {
    await connection.end()
  }
  const merchants = await auth.sql(
    'SELECT FROM merchants JOIN users ON users.id = merchants.id WHERE phone = $1',
    phone,
  )
  expect(merchants).toHaveLength(1)
  expect(await isValid(auth.client, key)).toBe(false)
})
