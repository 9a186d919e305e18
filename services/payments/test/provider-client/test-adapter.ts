import type { Adapter, CallContext, Charge, Grant } from '../../src/providers/adapter.js'
import type { CallResult, QueryReading, SendReading } from '../../src/providers/reading.js'
import { readToken } from '../../src/providers/token.js'
import { unanswered } from '../../src/providers/usual-readings.js'

/** An adapter whose requests carry a token, or without grants the credential `apiKey`. */

interface Options {
  readonly needs?: readonly string[]
  readonly grants?: Readonly<Record<string, Grant<unknown>>>
  /** Of a send, a query and a grant. */
  readonly timeoutSeconds?: number
}

export const CHARGE: Charge = {
  reference: 'reference-1',
  paymentReference: 'PAY-019aa0a0-0000-7000-8000-000000000000',
  amount: '5000',
  currency: 'UGX',
  payer: '256772123456',
  text: 'Payment',
}

/** The grant `token` of `POST /token`. */
export function tokenGrant(timeoutSeconds: number): Grant<unknown> {
  return {
    needs: [],
    timeoutSeconds,
    request: ({ credentials }) => ({
      method: 'POST',
      path: '/token',
      headers: { authorization: `Basic ${credentials.apiKey}` },
      body: new Uint8Array(),
    }),
    read: readToken,
  }
}

/** The grant `key` of `GET /key`, which needs the token. */
export function keyGrant(timeoutSeconds: number): Grant<unknown> {
  return {
    needs: ['token'],
    timeoutSeconds,
    request: ({ grants }) => ({
      method: 'GET',
      path: '/key',
      headers: { authorization: `Bearer ${grants.token}` },
    }),
    read: readToken,
  }
}

export function testAdapter(options: Options = {}): Adapter {
  const { needs = [], timeoutSeconds = 5, grants } = options
  return {
    name: 'test',
    capabilities: {
      methods: ['MOBILE_MONEY'],
      reference: 'ours',
      amount: 'stated',
      callback: { url: 'attempt', signed: true },
      textLength: 100,
      visibilitySeconds: 60,
    },
    credentials: { apiKey: { required: true } },
    grants,
    parseSettings: () => ({ value: {} }),
    newReference: () => 'reference',
    payerOf: (phone) => phone,
    initiate: {
      needs: () => needs,
      timeoutSeconds,
      retrySeconds: [],
      request: (charge, context) => ({
        method: 'POST',
        path: '/charges',
        headers: authorization(context),
        body: Buffer.from(JSON.stringify(charge)),
      }),
      read: readSend,
    },
    query: {
      needs: () => needs,
      timeoutSeconds,
      scheduleSeconds: [],
      request: (charge, context) => ({
        method: 'GET',
        path: `/charges/${charge.reference}`,
        headers: authorization(context),
      }),
      read: readQuery,
    },
    readCallback: ({ body }, { credentials }) => {
      const isSigned = credentials.some(({ apiKey }) => apiKey === Buffer.from(body).toString())
      return { verdict: isSigned ? 'signed' : 'invalid', reading: { kind: 'no_news' } }
    },
  }
}

function authorization({ credentials, grants }: CallContext<unknown>): Record<string, string> {
  const key = grants.key === undefined ? undefined : { 'x-key': grants.key }
  return { authorization: `Bearer ${grants.token ?? credentials.apiKey}`, ...key }
}

/** 401 rejects the token, 403 the credentials, and 409 with a 401 code does not say that nothing happened. */
function readSend(result: CallResult): SendReading {
  if (result.phase !== 'answered') return unanswered(result)
  const flags = ['configuration'] as const
  const refused = { kind: 'not_sent', failure: 'provider_configuration', retry: false } as const
  switch (result.status) {
    case 202:
      return { kind: 'pending' }
    case 401:
      return { ...refused, renew: 'token', flags }
    case 403:
      return { ...refused, flags }
    case 409:
      return { kind: 'may_have_happened', renew: 'token', flags }
  }
  return { kind: 'may_have_happened', providerCode: String(result.status) }
}

function readQuery(result: CallResult): QueryReading {
  if (result.phase !== 'answered') return { kind: 'no_news' }
  if (result.status === 200) return { kind: 'succeeded', amount: '5000', currency: 'UGX' }
  if (result.status === 401) return { kind: 'no_news', renew: 'token', flags: ['configuration'] }
  return { kind: 'no_news' }
}
