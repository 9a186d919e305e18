import type { AccountFacts, Adapter, CallContext, Charge, HttpRequest } from '../adapter.js'
import { readFields } from '../fields.js'
import { nationalDigits } from '../phone-forms.js'
import { querySchedule, SEND_RETRY_SECONDS } from '../schedule.js'
import { readToken } from '../token.js'
import { readQuery, readSend } from './answers.js'
import { readCallback } from './callback.js'
import { readEncryptionKey, signatureOf } from './signing.js'

/** Airtel Money Africa, Collection APIs: https://developers.airtel.africa. Each market has a base URL. */
export interface AirtelSettings {
  /** Message signing, which v2 of the API requires. Without it, requests go to v1. */
  readonly signing: boolean
}

export const airtelMoney: Adapter<AirtelSettings> = {
  name: 'airtel-money',
  capabilities: {
    methods: ['MOBILE_MONEY'],
    reference: 'ours',
    amount: 'absent',
    callback: { url: 'account', signed: true },
    textLength: 64,
    visibilitySeconds: 600,
  },
  credentials: {
    clientId: { required: true },
    clientSecret: { required: true },
    /** The private key of the application's settings, if callback authentication is on. */
    callbackKey: { required: false },
  },
  parseSettings(given) {
    const fields = readFields(given)
    return fields.result({ signing: fields.flag('signing', true) })
  },
  grants: {
    token: {
      needs: [],
      timeoutSeconds: 30,
      request: ({ credentials }) => ({
        method: 'POST',
        path: '/auth/oauth2/token',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: Buffer.from(
          JSON.stringify({
            client_id: credentials.clientId,
            client_secret: credentials.clientSecret,
            grant_type: 'client_credentials',
          }),
        ),
      }),
      read: readToken,
    },
    encryptionKey: {
      needs: ['token'],
      timeoutSeconds: 30,
      request: (context) => ({
        method: 'GET',
        path: '/v1/rsa/encryption-keys',
        headers: headersOf(context),
      }),
      read: readEncryptionKey,
    },
  },
  // Airtel does not find ids with hyphens again.
  newReference: (random) => Buffer.from(random.subarray(0, 16)).toString('hex'),
  payerOf: (phone, { country }) => nationalDigits(phone, country),
  initiate: {
    needs: ({ signing }) => (signing ? ['token', 'encryptionKey'] : ['token']),
    timeoutSeconds: 30,
    retrySeconds: SEND_RETRY_SECONDS,
    request: requestPayment,
    read: readSend,
  },
  query: {
    needs: () => ['token'],
    timeoutSeconds: 10,
    // "At least three minutes after the payment".
    scheduleSeconds: querySchedule([180, 60, 120, 300]),
    request: (charge, context) => ({
      method: 'GET',
      path: `/standard/v1/payments/${charge.reference}`,
      headers: headersOf(context),
    }),
    read: readQuery,
  },
  readCallback: ({ body }, { credentials }) =>
    readCallback(
      body,
      credentials.flatMap(({ callbackKey }) => callbackKey ?? []),
    ),
}

function requestPayment(charge: Charge, context: CallContext<AirtelSettings>): HttpRequest {
  const { account, grants, random } = context
  const body = Buffer.from(JSON.stringify(paymentOf(charge, account)))
  const isSigned = account.settings.signing
  return {
    method: 'POST',
    path: `/merchant/${isSigned ? 'v2' : 'v1'}/payments/`,
    headers: {
      ...headersOf(context),
      'content-type': 'application/json',
      ...(isSigned ? signatureOf(body, grants.encryptionKey ?? '', random) : {}),
    },
    body,
  }
}

function paymentOf(charge: Charge, { country, currency }: AccountFacts) {
  return {
    reference: charge.text,
    subscriber: { country, currency, msisdn: charge.payer },
    // A JSON number. A double preserves every amount: at most 10^12, with two decimal places.
    transaction: { amount: Number(charge.amount), country, currency, id: charge.reference },
  }
}

function headersOf({ account, grants }: CallContext<AirtelSettings>) {
  return {
    accept: 'application/json',
    authorization: `Bearer ${grants.token ?? ''}`,
    'x-country': account.country,
    'x-currency': account.currency,
  }
}
