import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'

/** Requests as bytes, because clients in libraries do not send most invalid ones. */

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly bytes: number
}

/** @param request the request line and headers, each with its line break; the connection closes after the answer */
export async function sendRaw(port: number, request: string, body = ''): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`${request}Connection: close\r\n\r\n${body}`)
  const answer = await text(socket)
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const [status = '', ...fields] = head.split('\r\n')
  const headers = fields.map((field) => {
    const [name = '', value = ''] = field.split(': ')
    return [name.toLowerCase(), value] as const
  })
  return {
    status: Number(status.split(' ')[1]),
    headers: Object.fromEntries(headers),
    body: rest.join('\r\n\r\n'),
    bytes: Buffer.byteLength(answer),
  }
}

/** The statuses of the responses to pipelined requests, until the server closes the connection. */
export async function statusesOf(port: number, requests: string): Promise<number[]> {
  const socket = connect(port, '127.0.0.1')
  socket.write(requests)
  const answers = await text(socket).catch(() => '')
  return Array.from(answers.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => Number(status))
}
