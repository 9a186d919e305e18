import { createServer } from 'node:net'

/**
 * The address that stands for every address of this machine: `::`, which includes IPv4, or `0.0.0.0` where the
 * kernel has no IPv6.
 */
export function anyAddress(): Promise<'::' | '0.0.0.0'> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve('0.0.0.0'))
    server.listen({ port: 0, host: '::' }, () => server.close(() => resolve('::')))
  })
}
