import type { AccountFacts, Adapter, CallContext, Credentials } from '../adapter.js'
import { readFields } from '../fields.js'
import { objectOf } from '../json-answer.js'
import { internationalDigits } from '../phone-forms.js'
import { querySchedule, SEND_RETRY_SECONDS } from '../schedule.js'
import { basicAuthorization, readToken } from '../token.js'
import { readQuery, readSend, readStatus } from './answers.js'

/**
 * MTN MoMo Open API, Collections: https://momodeveloper.mtn.com. The platforms `proxy.momoapi.mtn.com` and
 * `momoapi.momo.africa` differ in the base URL and in the form of credentials only. A charge is known to the platform
 * that processed it, so that the new platform is a new account.
 */
export interface MtnSettings {
  /** `X-Target-Environment`, such as `mtnuganda`. */
  readonly targetEnvironment: string
}

const REQUEST_TO_PAY = '/collection/v1_0/requesttopay'

/** MTN's sandbox accepts no other currency. */
const SANDBOX_CURRENCY = 'EUR'

export const mtnMomo: Adapter<MtnSettings> = {
  name: 'mtn-momo',
  capabilities: {
    methods: ['MOBILE_MONEY'],
    reference: 'ours',
    amount: 'stated',
    // Sent once, unsigned, without the reference, by POST or PUT.
    callback: { url: 'attempt', signed: false },
    textLength: 160,
    visibilitySeconds: 600,
  },
  credentials: {
    subscriptionKey: { required: true },
    /** Legacy platform: a UUID; new platform: base64. */
    userId: { required: true },
    /** Legacy platform: hexadecimal digits; new platform: a credential token with punctuation. */
    apiKey: { required: true },
  },
  parseSettings,
  grants: {
    token: {
      needs: [],
      // The new platform takes 10 to 20 s.
      timeoutSeconds: 30,
      request: ({ account, credentials }) => ({
        method: 'POST',
        path: '/collection/token/',
        headers: {
          ...headersOf(account.settings, credentials),
          authorization: basicAuthorization(credentials.userId ?? '', credentials.apiKey ?? ''),
        },
        // MTN lists a body as a cause of 400.
        body: new Uint8Array(),
      }),
      read: readToken,
    },
  },
  newReference: uuidV4,
  payerOf: internationalDigits,
  initiate: {
    needs: () => ['token'],
    timeoutSeconds: 30,
    retrySeconds: SEND_RETRY_SECONDS,
    request: (charge, context) => ({
      method: 'POST',
      path: REQUEST_TO_PAY,
      headers: {
        ...authorizedHeaders(context),
        'content-type': 'application/json',
        'x-reference-id': charge.reference,
        // MTN rejects an empty one.
        ...(charge.callbackUrl === undefined ? {} : { 'x-callback-url': charge.callbackUrl }),
      },
      body: Buffer.from(
        JSON.stringify({
          amount: charge.amount,
          currency: charge.currency,
          externalId: charge.paymentReference,
          payer: { partyIdType: 'MSISDN', partyId: charge.payer },
          payerMessage: charge.text,
          payeeNote: charge.text,
        }),
      ),
    }),
    read: readSend,
  },
  query: {
    needs: () => ['token'],
    timeoutSeconds: 10,
    // The prompt expires after 5 minutes.
    scheduleSeconds: querySchedule([10, 30, 60, 120, 300]),
    request: (charge, context) => ({
      method: 'GET',
      path: `${REQUEST_TO_PAY}/${charge.reference}`,
      headers: authorizedHeaders(context),
    }),
    read: readQuery,
  },
  readCallback({ body }) {
    return { verdict: 'unsigned', reading: readStatus(objectOf(body)) }
  },
}

function parseSettings(given: unknown, { mode, currency }: AccountFacts) {
  const fields = readFields(given)
  const targetEnvironment = fields.text(
    'targetEnvironment',
    /^[a-z]{1,40}$/,
    'must be an environment of MTN in lower case, such as mtnuganda or sandbox',
  )
  if (targetEnvironment === 'sandbox') {
    if (mode !== 'sandbox') {
      fields.fault('targetEnvironment', 'must be that of a market, such as mtnuganda, in mode live')
    }
    if (currency !== SANDBOX_CURRENCY) {
      fields.fault('targetEnvironment', `sandbox needs the currency ${SANDBOX_CURRENCY}`)
    }
  }
  return fields.result({ targetEnvironment })
}

function headersOf({ targetEnvironment }: MtnSettings, credentials: Credentials) {
  return {
    'ocp-apim-subscription-key': credentials.subscriptionKey ?? '',
    'x-target-environment': targetEnvironment,
  }
}

function authorizedHeaders({ account, credentials, grants }: CallContext<MtnSettings>) {
  const authorization = `Bearer ${grants.token ?? ''}`
  return { ...headersOf(account.settings, credentials), authorization }
}

/** RFC 9562, section 5.4. MTN documents version 4 for `X-Reference-Id`. */
function uuidV4(random: Uint8Array): string {
  const bytes = Buffer.from(random.subarray(0, 16))
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
