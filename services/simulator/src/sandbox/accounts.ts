/**
 * The accounts at the simulator that every sandbox has. They are rendered in two forms: payments' PROVIDERS_FILE, and
 * the simulator's ACCOUNTS_FILE. The charts have both as files (`npm run charts`).
 */

export interface Urls {
  /** The simulator, for payments. */
  readonly simulator: string
  /** payments, for callbacks: scheme, host name and port. */
  readonly payments: string
}

const UGANDA = {
  country: 'UG',
  currency: 'UGX',
  timeZone: 'Africa/Kampala',
  limits: { min: 500, max: 5_000_000, rate: 10, pollRate: 10 },
}

const MTN = {
  adapter: 'mtn-momo',
  credentials: ['subscriptionKey', 'userId', 'apiKey'],
} as const

const AIRTEL = {
  adapter: 'airtel-money',
  credentials: ['clientId', 'clientSecret', 'callbackKey'],
} as const

const ACCOUNTS = [
  {
    ...MTN,
    name: 'mtn-sandbox',
    // MTN's test numbers are Swedish, and its sandbox has one currency.
    country: 'SE',
    currency: 'EUR',
    timeZone: 'Europe/Stockholm',
    limits: { min: 1, max: 1_000, rate: 10, pollRate: 10 },
    settings: { targetEnvironment: 'sandbox' },
  },
  {
    ...MTN,
    ...UGANDA,
    name: 'mtn-ug-sim',
    phonePrefixes: ['+25676', '+25677', '+25678'],
    settings: { targetEnvironment: 'mtnuganda' },
  },
  {
    ...AIRTEL,
    ...UGANDA,
    name: 'airtel-ug-sim',
    phonePrefixes: ['+25670', '+25674', '+25675'],
  },
] as const

type Account = (typeof ACCOUNTS)[number]

/** The file names of all credentials. */
export function credentialFiles(): string[] {
  return ACCOUNTS.flatMap((account) => Object.values(filesOf(account)))
}

/**
 * The content of PROVIDERS_FILE.
 *
 * @param folder the absolute path of the credentials' folder, with a slash at its end
 */
export function providersFile({ simulator, payments }: Urls, folder: string) {
  const accounts = ACCOUNTS.map((account) => {
    const { name, adapter, credentials: _, ...rest } = account
    return {
      name,
      adapter,
      mode: 'sandbox',
      baseUrl: simulator,
      callbackOrigin: payments,
      merchants: ['*'],
      ...rest,
      credentials: filesOf(account, folder),
    }
  })
  return { defaultProvider: 'manual', accounts }
}

/** The content of ACCOUNTS_FILE, which is in the credentials' folder. */
export function accountsFile({ payments }: Pick<Urls, 'payments'>) {
  const callbackHost = new URL(payments).host
  const mtnMomo = ACCOUNTS.filter((account) => account.adapter === 'mtn-momo')
  const airtelMoney = ACCOUNTS.filter((account) => account.adapter === 'airtel-money')
  return {
    mtnMomo: mtnMomo.map((account) => ({
      ...filesOf(account),
      ...account.settings,
      callbackHost,
    })),
    airtelMoney: airtelMoney.map((account) => ({
      ...filesOf(account),
      country: account.country,
      currency: account.currency,
      callbackUrl: `${payments}/api/payments/webhook/${account.name}`,
    })),
  }
}

/** `apiKeyFile: mtn-ug-sim-api-key` */
function filesOf({ name, credentials }: Account, folder = ''): Record<string, string> {
  const kebab = (text: string) => text.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return Object.fromEntries(
    credentials.map((each) => [`${each}File`, `${folder}${name}-${kebab(each)}`]),
  )
}
