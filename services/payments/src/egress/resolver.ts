import { Resolver } from 'node:dns/promises'

/** Resolves the name of a host to all of its addresses. Rejects if there is none. */
export type Resolve = (host: string) => Promise<readonly string[]>

/** With both tries, 4.5 s, as the second one waits twice as long: less than the time to connect. */
const TRY_MS = 1_500
const TRIES = 2

/**
 * Resolves names by DNS only, as absolute names. `dns.lookup` is not used: it appends the search domains of a pod, which
 * are those of the cluster, and blocks one of Node's four threads for as long as the slowest name server.
 *
 * @param servers `address:port`, instead of those of /etc/resolv.conf
 */
export function resolveByDns(servers?: readonly string[]): Resolve {
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES })
  if (servers) resolver.setServers(servers)
  return async (host) => {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    const addresses = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? answer.value : [],
    )
    if (addresses.length > 0) return addresses
    throw new Error('the name has no address', { cause: answers[0] })
  }
}
