import type { Auth } from './auth.js'

let networks = 0

/** An IPv4 address that no other test of the file uses. */
export function newAddress(): string {
  return `198.18.${Math.floor(networks / 250)}.${(networks++ % 250) + 1}`
}

/** Headers of a proxy that forwards a request of a client with this address. */
export const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

interface Tokens {
  deviceToken?: string | undefined
  token?: string
}

/** Tries to log in from an address; auth must trust `127.0.0.1` as a proxy. */
export function attempt(
  { client }: Pick<Auth, 'client'>,
  { phone, password }: { phone: string; password: string },
  address: string,
  { deviceToken, token }: Tokens = {},
) {
  const body = { phone, password, ...(deviceToken !== undefined && { device_token: deviceToken }) }
  return client.post('/api/auth/login', body, { ...from(address), ...(token && { token }) })
}
