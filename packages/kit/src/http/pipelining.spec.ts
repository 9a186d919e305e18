import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { statusesOf } from '@malipo/testing/raw-http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { afterResponses, createHttpServer } from './pipelining.js'

const server = createHttpServer({}, (request, response) => {
  request.resume()
  void sleep(20).then(() => response.end())
})
server.on('clientError', (_error, socket: Socket) =>
  afterResponses(socket, () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
)
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterAll(() => server.close())

const port = () => (server.address() as AddressInfo).port

const ONE = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const LAST = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

it('closes a connection with more than 16 requests in progress', async () => {
  expect((await statusesOf(port(), ONE.repeat(17))).length).toBeLessThan(17)
  expect(await statusesOf(port(), ONE.repeat(15) + LAST)).toEqual(Array(16).fill(200))
})

it('accepts any number of requests that each follow the response to the previous one', async () => {
  const socket = connect(port(), '127.0.0.1')
  for (let n = 0; n < 40; n++) {
    socket.write(ONE)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /)
  }
  socket.destroy()
})

it('answers complete requests before the malformed one that follows', async () => {
  expect(await statusesOf(port(), `${ONE}${ONE}malformed\r\n\r\n`)).toEqual([200, 200, 400])
})

it('answers a request whose body is malformed', async () => {
  const chunked = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
  expect(await statusesOf(port(), `${chunked}x\r\n`)).toEqual([400])
})
