import 'reflect-metadata'
import { randomUUID } from 'node:crypto'
import { type RawAnswer, sendRaw, statusesOf } from '@malipo/testing/raw-http'
import { Body, Controller, Get, Module, Param, Post, Query } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { IsIn } from 'class-validator'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readEnv } from '../config/env.js'
import { httpVariables } from '../config/variables.js'
import { createLogger } from '../telemetry/logger.js'
import { Public } from './access.js'
import { InvalidRequests } from './invalid-requests.js'
import { shedOverload } from './load-shedder.js'
import { serveOpenApi } from './openapi.js'
import { PageLimit } from './page.js'
import { configureRoutes, createAdapter } from './server.js'
import { Drain } from './shutdown.js'

/** Requests as bytes, because clients in libraries do not send most of them. */

class ThingDto {
  @IsIn(['small', 'large'], { message: 'must be small or large' })
  size: string
}

class ThingsDto {
  @PageLimit(20)
  limit = 20
}

@Controller('api/things')
class Things {
  @Post()
  @Public()
  create(@Body() body: ThingDto) {
    return body
  }

  @Get()
  @Public()
  list(@Query() { limit }: ThingsDto) {
    return { limit }
  }

  @Get(':id')
  @Public()
  get(@Param('id') id: string) {
    return { id }
  }
}

@Controller('health')
class Health {
  @Get('live')
  @Public()
  live() {
    return { status: 'ok' }
  }
}

const lines: string[] = []
const linesOf = (id: string) => lines.filter((line) => line.includes(`"requestId":"${id}"`))
const log = createLogger('kit', 'debug', { write: (line) => lines.push(line) })
const DRAIN_MS = 1_000

@Module({
  controllers: [Things, Health],
  providers: [
    { provide: Registry, useFactory: () => new Registry() },
    { provide: Drain, useFactory: () => new Drain(DRAIN_MS, log) },
  ],
})
class App {}

/** Starts an app that allows four invalid requests of a network. */
async function start(): Promise<NestFastifyApplication> {
  const source = { INVALID_REQUESTS_PER_MINUTE: '4', TRUSTED_PROXIES: '127.0.0.1' }
  const env = readEnv(source, httpVariables(0, ''))
  const invalidRequests = new InvalidRequests(env)
  const app: NestFastifyApplication = await NestFactory.create(
    App,
    createAdapter(env, invalidRequests, () => log),
    { abortOnError: false, bodyParser: false, logger: false },
  )
  configureRoutes(app, { ...env, DB_WAIT_MS: 1_000 }, invalidRequests, log)
  shedOverload(app.getHttpAdapter().getInstance(), app.get(Registry), () => false)
  serveOpenApi(app, { name: 'kit', title: 'Kit', description: '', version: '1.0.0' })
  await app.listen(0, '127.0.0.1')
  return app
}

let app: NestFastifyApplication
let port: number
beforeAll(async () => {
  app = await start()
  port = Number(new URL(await app.getUrl()).port)
})
afterAll(() => app.close())

const send = (request: string, body = '') => sendRaw(port, request, body)

let network = 0
/** Sends a request from another network each time. */
const target = (path: string, method = 'GET') =>
  send(
    `${method} ${path} HTTP/1.1\r\nHost: kit.example\r\nX-Forwarded-For: 192.0.2.${++network}\r\n`,
  )

/** Sends a body from another network each time, or from the given address. */
const post = (body: string, headers = '', address = `192.0.2.${++network}`) =>
  send(
    `POST /api/things HTTP/1.1\r\nHost: kit.example\r\nContent-Type: application/json\r\n` +
      `X-Forwarded-For: ${address}\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n`,
    body,
  )

function expectProblem({ headers, body, ...answer }: RawAnswer, status: number) {
  expect(answer.status).toBe(status)
  expect(headers).toMatchObject({
    'content-type': expect.stringMatching(/^application\/problem\+json/),
    'x-request-id': expect.stringMatching(/./),
    'x-content-type-options': 'nosniff',
  })
  expect(JSON.parse(body)).toMatchObject({ status, requestId: headers['x-request-id'] })
}

describe('the matched route decides', () => {
  it.each([
    ['/api/things', 200],
    ['/%61pi/things', 200],
    ['/api/%74hings?limit=1', 200],
    ['/api/things#fragment', 400],
    ['http://any.example/api/things', 200],
    ['HTTPS://any.example:8443/api/things?limit=1', 200],
    ['/api/things/1', 200],
    ['http://any.example/%61pi/things/1', 200],
    ['http://any.example/api/things?limit=0', 400],
    ['/nothing', 404],
    ['http://any.example/nothing', 404],
    ['http://any.example', 404],
    ['/api/%zz', 400],
    [`/api/things/${'x'.repeat(200)}`, 414],
  ])('that the response to %s has Cache-Control: no-store', async (path, status) => {
    const answer = await target(path)
    expect([answer.status, answer.headers['cache-control']]).toEqual([status, 'no-store'])
    if (status >= 400) expectProblem(answer, status)
  })

  it.each(['/health/live', 'http://any.example/health/live', '/docs', '/docs/swagger-ui.css'])(
    'that the response to %s has none',
    async (path) => {
      const { status, headers } = await target(path)
      expect(status).toBe(200)
      expect(headers['cache-control']).not.toBe('no-store')
    },
  )

  it.each(['/api/things', '/%61pi/things', 'http://any.example/api/things?x=1'])(
    'which methods %s has',
    async (path) => {
      const answer = await target(path, 'DELETE')
      expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD, POST'])
      expectProblem(answer, 405)
    },
  )

  it.each(['http://any.example/api/things', '/%61pi/things'])(
    'that %s extends a drain',
    async (path) => {
      const other = await start()
      port = Number(new URL(await other.getUrl()).port)
      try {
        const startedAt = performance.now()
        const drained = other.get(Drain).beforeApplicationShutdown()
        await new Promise((resolve) => setTimeout(resolve, DRAIN_MS * 0.7))
        expect((await target(path)).status).toBe(200)
        await drained
        expect(performance.now() - startedAt).toBeGreaterThan(DRAIN_MS * 1.6)
      } finally {
        await other.close()
        port = Number(new URL(await app.getUrl()).port)
      }
    },
  )
})

describe('a path outside the files of the documentation', () => {
  it.each([
    ['/docs/../../package.json', 404],
    ['/docs/%2e%2e/%2e%2e/package.json', 404],
    ['/docs/..%2f..%2fpackage.json', 404],
    ['/docs/..\\..\\package.json', 404],
    ['/docs/%00', 404],
    ['/docs/.env', 404],
    ['/docs//', 404],
    ['/docs-yaml', 404],
    ['/docs//evil.example/%2e%2e', 404],
    [`/docs/${'x'.repeat(300)}`, 404],
    ['/docs/%', 400],
  ])('%s is a problem', async (path, status) => {
    const answer = await target(path)
    expectProblem(answer, status)
  })

  it.each([
    ['Range: bytes=99999999-', 416],
    ['If-Match: "other"', 412],
  ])('and %s of a file is a problem', async (header, status) => {
    const answer = await send(`GET /docs/swagger-ui.css HTTP/1.1\r\nHost: x\r\n${header}\r\n`)
    expectProblem(answer, status)
  })
})

describe('a request that Node or the router would reject', () => {
  it.each([
    ['without Host', 'GET /api/things HTTP/1.1\r\n', 400],
    ['with an unknown Expect', 'GET /api/things HTTP/1.1\r\nHost: x\r\nExpect: foo\r\n', 417],
    ['without Host to no route', 'GET /nothing HTTP/1.1\r\n', 400],
    ['with two Hosts', 'GET /api/things HTTP/1.1\r\nHost: x\r\nhost: x\r\n', 400],
    [
      'with a second transfer coding',
      'GET /api/things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n',
      400,
    ],
    ['for an undecodable path', 'GET /api/%zz HTTP/1.1\r\nHost: x\r\n', 400],
    ['for no valid authority', 'OPTIONS ftp://x HTTP/1.1\r\nHost: x\r\n', 404],
  ])('%s gets a problem, and is logged once', async (_, request, status) => {
    const id = randomUUID()
    const address = `192.0.2.${++network}`
    const answer = await send(`${request}X-Request-Id: ${id}\r\nX-Forwarded-For: ${address}\r\n`)
    expectProblem(answer, status)
    expect(answer.headers['x-request-id']).toBe(id)
    await expect.poll(() => linesOf(id)).toHaveLength(1)
  })

  it('with an encoded body gets 415 with Accept-Encoding', async () => {
    const answer = await post('{"size":"small"}', 'Content-Encoding: br\r\n')
    expect([answer.status, answer.headers['accept-encoding']]).toEqual([415, 'identity'])
    expectProblem(answer, 415)
  })

  it('is accepted without Host in HTTP/1.0, and with Expect: 100-continue', async () => {
    expect((await send('GET /api/things HTTP/1.0\r\n')).status).toBe(200)
    const answer = await post('{"size":"small"}', 'Expect: 100-continue\r\n')
    expect(answer.status).toBe(100)
    expect(answer.body).toMatch(/^HTTP\/1\.1 201 /)
  })
})

it('answers a request before the malformed one that follows, and a limited number of both', async () => {
  const valid = 'GET /api/things HTTP/1.1\r\nHost: x\r\n\r\n'
  expect(await statusesOf(port, `${valid}${valid}malformed\r\n\r\n`)).toEqual([200, 200, 400])
  expect((await statusesOf(port, valid.repeat(17))).length).toBeLessThan(17)
})

describe('a query', () => {
  it.each([
    '/api/things?__proto__=1',
    '/api/things?constructor=1',
    '/api/things?limit=1e2',
    '/api/things?limit=1&limit=2',
    '/api/things?x=1',
    '/api/things/1?__proto__=1',
    '/api/things/1?x',
  ])('%s gets 400', async (path) => {
    expectProblem(await target(path), 400)
  })

  it('is ignored outside the API, and may be empty', async () => {
    expect((await target('/health/live?x=1')).status).toBe(200)
    expect((await target('/api/things/1?')).status).toBe(200)
  })
})

describe('hostile input', () => {
  const fields = (count: number, name = 'f') =>
    `{${Array.from({ length: count }, (_, i) => `"${name}${i}":1`).join(',')}}`

  it.each([
    ['9,000 unknown fields', fields(9_000)],
    ['200 unknown fields', fields(200)],
    ['200 unknown fields with long names', fields(200, 'x'.repeat(450))],
    ['20 unknown fields with long names', fields(20, 'é'.repeat(2_000))],
    ['a name of 90 kB', `{"${'x'.repeat(90_000)}":1}`],
    ['a value of 90 kB', `{"size":"${'x'.repeat(90_000)}"}`],
    ['45,000 levels', '['.repeat(45_000) + ']'.repeat(45_000)],
    ['9 levels', `{"size":${'['.repeat(8)}${']'.repeat(8)}}`],
    ['a list of 40,000 elements', `{"size":[${'0,'.repeat(40_000)}0]}`],
    ['text that is not JSON', 'x'.repeat(90_000)],
  ])('of %s gets a short 400 and a short line in the log', async (_, body) => {
    const id = randomUUID()
    const answer = await post(body, `X-Request-Id: ${id}\r\n`)
    expectProblem(answer, 400)
    expect(answer.bytes).toBeLessThan(10_000)
    await expect.poll(() => linesOf(id)).toHaveLength(1)
    const [line = ''] = linesOf(id)
    expect(Buffer.byteLength(line)).toBeLessThan(500)
    expect(line).not.toContain('xxxx')
  })

  it('logs neither names of fields, nor paths, nor phones in request ids', async () => {
    const id = 'X-Request-Id: order-256772123456\r\n'
    const masked = 'order-[phone …56]'
    await post('{"p256772123456":1,"amina_at_example":1}', id)
    await send(`GET /api/things/%zz256772123456 HTTP/1.1\r\nHost: x\r\n${id}`)
    await send(`GET /nothing/256772123456 HTTP/1.1\r\nHost: x\r\n${id}`)
    await send(`GET /api/things/256772123456 HTTP/1.1\r\n${id}`)
    await expect.poll(() => linesOf(masked)).toHaveLength(4)
    expect(lines.join('')).not.toMatch(/772123456|amina/)
    const [first = ''] = linesOf(masked)
    expect(JSON.parse(first)).toMatchObject({ requestId: masked, fields: ['size', '[unknown]'] })
  })

  it('gets a short 429 after the limit of its network, while others and valid requests do not', async () => {
    const address = '198.51.100.1'
    const statuses: number[] = []
    for (let n = 0; n < 5; n++) statuses.push((await post(fields(100), '', address)).status)
    const path = `GET /api/%zz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${address}\r\n`
    expect([...statuses, (await send(path)).status]).toEqual([400, 400, 400, 400, 429, 429])
    const startedAt = performance.now()
    const answer = await post(fields(9_000), '', address)
    expect(performance.now() - startedAt).toBeGreaterThan(95)
    expectProblem(answer, 429)
    expect(answer.headers['retry-after']).toMatch(/^([1-9]|[1-5]\d|60)$/)
    expect(answer.bytes).toBeLessThan(1_500)
    expect((await post('{"size":"small"}', '', address)).status).toBe(201)
    expect((await post(fields(100))).status).toBe(400)
  })
})
