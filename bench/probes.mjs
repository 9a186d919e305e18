/**
 * Several probes, run as a child process, so that other work of the bench does not delay them: receives the requests as
 * a message and probes each. The next message ends them, and is answered with the times of each.
 *
 * @typedef {{ url: string, headers: Record<string, string> }} Probed
 */
import { probe } from './probe.mjs'

/** @type {ReturnType<typeof probe>[] | undefined} */
let probes

process.on('message', async (message) => {
  if (!probes) {
    probes = /** @type {Probed[]} */ (message).map(({ url, headers }) => probe(url, headers))
    return
  }
  const stopped = probes.map(({ stop }) => stop())
  probes = undefined
  process.send?.(await Promise.all(stopped))
})
process.on('disconnect', () => process.exit())
