import { type Account, register } from './http.ts'
import type { Platform } from './platform.ts'

/** Registers a user, and grants `payments:write` by the operator command: in live mode, no user has it by default. */
export async function registerMerchant(platform: Platform): Promise<Account> {
  const account = await register(platform.client)
  const grant = ['--phone', account.phone, '--grant', 'payments:write']
  const command = ['/nodejs/bin/node', 'dist/cli/operator.js', ...grant]
  await platform.namespace.exec(await platform.pod('auth'), command)
  return account
}
