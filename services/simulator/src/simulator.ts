import type { Logger } from '@malipo/kit/telemetry/logger'
import type { FastifyInstance } from 'fastify'
import type { Accounts } from './accounts.js'
import { serveAdmin } from './admin/routes.js'
import { MessageKeys } from './airtel-money/message-keys.js'
import { serveAirtelMoney } from './airtel-money/routes.js'
import { callbackOf as airtelCallback } from './airtel-money/view.js'
import { Book } from './book/book.js'
import { Journal } from './book/journal.js'
import type { Provider } from './book/records.js'
import { Settings } from './book/settings.js'
import { Callbacks } from './charges/callbacks.js'
import { type CallbackWriter, Charges } from './charges/charges.js'
import type { Env } from './env.js'
import { RateLimits } from './http/rate-limits.js'
import { RequestCounts } from './http/request-counts.js'
import { createServer } from './http/server.js'
import { serveCollections } from './mtn-momo/collections.js'
import { serveProvisioning } from './mtn-momo/provisioning.js'
import { Users } from './mtn-momo/users.js'
import { callbackOf as mtnCallback } from './mtn-momo/view.js'
import { serveStandard } from './standard/routes.js'
import { webhookOf } from './standard/view.js'

/** Lines for each charge of a full book, before the file is rewritten without the removed charges. */
const LINES_PER_CHARGE = 10

/** Creates the simulator from its book. It does not listen yet. @throws JournalError if the book is damaged */
export function createSimulator(env: Env, accounts: Accounts, log: Logger): FastifyInstance {
  const book = new Book(env.BOOK_MAX_CHARGES)
  const settings = new Settings({ seed: env.SEED, mix: env.PERSONALITY_MIX })
  const users = new Users(accounts.mtnMomo)
  const keys = new MessageKeys()
  const parts = [book, settings, users, keys]
  const journal = new Journal(env.BOOK_FILE, parts, LINES_PER_CHARGE * env.BOOK_MAX_CHARGES)
  const charges = new Charges(
    { book, settings, journal },
    {
      timeScale: env.TIME_SCALE,
      callbacks: new Callbacks(env.CALLBACK_TIMEOUT_MS),
      writers: writersOf(accounts, users),
      log,
    },
  )

  const counts = new RequestCounts()
  const limits = new RateLimits()
  const server = createServer(counts, log)
  serveProvisioning(server, users, journal)
  serveCollections(server, { users, charges, book, limits })
  const airtelMoney = { accounts: accounts.airtelMoney, charges, book, limits, keys, journal }
  serveAirtelMoney(server, airtelMoney)
  serveStandard(server, { accounts: accounts.standard, charges, limits })
  serveAdmin(server, { book, settings, journal, counts })
  server.addHook('onListen', (done) => {
    charges.start()
    done()
  })
  server.addHook('onClose', (_instance, done) => {
    charges.stop()
    journal.close()
    done()
  })
  return server
}

/** A charge of an account that the accounts file no longer has gets no callback. */
function writersOf(
  { airtelMoney, standard }: Accounts,
  users: Users,
): Readonly<Record<Provider, CallbackWriter>> {
  return {
    'mtn-momo': (charge, outcome) => {
      const user = users.find(charge.account)
      return user && mtnCallback(charge, outcome, user)
    },
    'airtel-money': (charge, outcome) => {
      const account = airtelMoney.find(({ clientId }) => clientId === charge.account)
      return account && airtelCallback(charge, outcome, account)
    },
    standard: (charge, outcome, now) => {
      const account = standard.find(({ name }) => name === charge.account)
      return account && webhookOf(charge, outcome, account, now)
    },
  }
}
