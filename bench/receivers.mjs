/**
 * The servers of merchants, run as a child process: one server with 2xx at once, and one that answers after 19 s. It
 * sends its ports, and when each notification was answered, by its event and its path.
 *
 * @typedef {{ ok: number, slow: number }} Ports
 */
import { createServer } from 'node:http'

const SLOW_MS = 19_000

/** @type {Map<string, number>} ms since 1970 */
const answered = new Map()

/** @param {number} delayMs */
async function start(delayMs) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      setTimeout(() => {
        if (response.destroyed) return
        response.writeHead(204).end()
        const key = `${String(request.headers['webhook-id'])} ${request.url}`
        if (delayMs === 0 && !answered.has(key)) answered.set(key, Date.now())
      }, delayMs)
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port
}

const ports = { ok: await start(0), slow: await start(SLOW_MS) }
process.on('message', (message) => {
  if (message === 'ports') process.send?.(ports)
  if (message !== 'answered') return
  process.send?.([...answered])
  answered.clear()
})
process.on('disconnect', () => process.exit())
