import { Socket } from 'node:net'
import { vi } from 'vitest'

/** The order of `mayBegin`, of writing the first byte of a request for money, and of the next event-loop tick. */
export async function stepsOf(send: (mayBegin: () => boolean) => Promise<unknown>) {
  const steps: string[] = []
  // oxlint-disable-next-line typescript/unbound-method -- applied to the socket below
  const { write } = Socket.prototype
  vi.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...given) {
    if (String(given[0]).startsWith('POST /charges')) steps.push('write')
    return Reflect.apply<Socket, typeof given, boolean>(write, this, given)
  })
  try {
    await send(() => {
      process.nextTick(() => steps.push('next tick'))
      return steps.push('begin') > 0
    })
  } finally {
    vi.restoreAllMocks()
  }
  return steps
}
