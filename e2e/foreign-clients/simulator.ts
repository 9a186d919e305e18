import { mkdir, rm, writeFile } from 'node:fs/promises'
import { freePort } from '@malipo/local/free-port'
import { startService } from '@malipo/local/process'
import { FOLDER } from './tools.ts'

/** The settings of the clients, in their environment. */
export type ClientEnv = Readonly<Record<string, string>>

/** Starts the simulator without waits, and runs `work` with the accounts that it has. */
export async function withSimulator(work: (env: ClientEnv) => Promise<void>): Promise<void> {
  const folder = `${FOLDER}/simulator`
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const callbackPort = String(await freePort())
  const env = {
    // The new platform's credentials: a user id in base64, and a token with punctuation.
    MTN_USER_ID: `${Buffer.from('malipo user').toString('base64')}=`,
    MTN_CREDENTIAL_TOKEN: 'a:token%with+punctuation',
    MTN_SUBSCRIPTION_KEY: 'subscription',
    AIRTEL_CLIENT_ID: 'client',
    AIRTEL_CLIENT_SECRET: 'client-secret',
    AIRTEL_CALLBACK_KEY: 'callback-key',
    CALLBACK_PORT: callbackPort,
  }
  await writeFile(`${folder}/accounts.json`, JSON.stringify(accountsOf(env)))
  const simulator = await startService({
    name: 'simulator',
    env: {
      MODE: 'sandbox',
      ACCOUNTS_FILE: `${folder}/accounts.json`,
      BOOK_FILE: `${folder}/book.jsonl`,
      TIME_SCALE: '0',
    },
  })
  try {
    await work({ ...env, SIMULATOR_URL: simulator.url })
  } finally {
    await simulator.stop()
  }
}

function accountsOf(env: ClientEnv) {
  const mtn = {
    userId: env.MTN_USER_ID,
    apiKey: env.MTN_CREDENTIAL_TOKEN,
    subscriptionKey: env.MTN_SUBSCRIPTION_KEY,
    targetEnvironment: 'mtnuganda',
    platform: 'new',
    callbackHost: 'localhost',
  }
  const airtel = {
    clientId: env.AIRTEL_CLIENT_ID,
    clientSecret: env.AIRTEL_CLIENT_SECRET,
    country: 'UG',
    currency: 'UGX',
    callbackUrl: `http://127.0.0.1:${env.CALLBACK_PORT}/callback`,
    callbackKey: env.AIRTEL_CALLBACK_KEY,
  }
  return { mtnMomo: [mtn], airtelMoney: [airtel] }
}
