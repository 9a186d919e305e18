import { randomBytes, randomUUID } from 'node:crypto'
import { overloaded } from '@malipo/kit/http/problem'
import { type Collector, startCollector } from '@malipo/testing/collector'
import { leaks } from '@malipo/testing/leaks'
import { sendRaw } from '@malipo/testing/raw-http'
import { until } from '@malipo/testing/until'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attemptUrl, type CallbackStage, startCallbacks } from './callback-stage.js'

/** The secret parts of callback URLs are in no log, trace, metric or response, whatever the request. */

let collector: Collector
let stage: CallbackStage
const seen = { attempt: [] as string[], nonce: [] as string[] }
const bodies: string[] = []

beforeAll(async () => {
  collector = await startCollector()
  stage = await startCallbacks({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER_ARG: '1',
  })
})
afterAll(async () => {
  await stage.close()
  await collector.close()
})

/** A path with secrets that are not used again. */
function path(account: string, id = randomUUID()) {
  const url = attemptUrl(account, id)
  seen.attempt.push(id)
  seen.nonce.push(url.slice(url.lastIndexOf('/') + 1))
  return url
}

function wrongPath() {
  const [id, nonce] = [randomUUID(), randomBytes(16).toString('base64url')]
  seen.attempt.push(id)
  seen.nonce.push(nonce)
  return `/api/payments/webhook/mtn-ug/${id}/${nonce}`
}

/** Sends a request line and headers, each with its line break. @returns the status */
async function send(head: string, body = ''): Promise<number> {
  const { status, headers, body: text } = await sendRaw(stage.port, head, body)
  bodies.push(text, JSON.stringify(headers))
  return status
}

const HOST = 'Host: x\r\n'
const post = (url: string, more = '', body = '') =>
  send(`POST ${url} HTTP/1.1\r\n${HOST}${more}Content-Length: ${body.length}\r\n`, body)

describe('each kind of request', () => {
  it.each<[string, number, () => Promise<number>]>([
    ['a callback', 200, () => post(path('mtn-ug'), '', '{}')],
    ['PUT', 200, () => send(`PUT ${path('mtn-ug')}?a=1 HTTP/1.1\r\n${HOST}`)],
    [
      'with a traced parent',
      200,
      () => post(path('mtn-ug'), `traceparent: 00-${'a'.repeat(32)}-${'b'.repeat(16)}-01\r\n`),
    ],
    ['an adapter that throws', 200, () => post(path('broken'))],
    ['a proxy that passes on the path', 200, () => postWithPath(path('mtn-ug'))],
    ['a wrong nonce', 404, () => post(wrongPath())],
    ['an unknown account', 404, () => post(path('mtn-ke'))],
    ['an account of another kind', 404, () => post(path('airtel-ug'))],
    ['a segment more', 404, () => post(`${path('mtn-ug')}/more`)],
    ['a slash more', 404, () => post(`${path('mtn-ug')}/`)],
    ['two slashes', 404, () => post(path('mtn-ug').replaceAll('/', '//'))],
    ['an encoded slash', 404, () => post(path('mtn-ug').replace('/mtn-ug/', '/mtn-ug%2F'))],
    ['another case', 404, () => post(path('mtn-ug').replace('/api/', '/API/'))],
    ['a prefix', 404, () => post(`/proxy${path('mtn-ug')}`)],
    ['GET', 405, () => send(`GET ${path('mtn-ug')} HTTP/1.1\r\n${HOST}`)],
    ['an absolute target', 405, () => send(`GET http://x${path('mtn-ug')} HTTP/1.1\r\n${HOST}`)],
    [
      'too large a body',
      413,
      () => send(`POST ${path('mtn-ug')} HTTP/1.1\r\n${HOST}Content-Length: 65537\r\n`),
    ],
    ['too long a segment', 414, () => post(`${path('mtn-ug')}${'x'.repeat(100)}`)],
    ['an undecodable path', 400, () => post(`${path('mtn-ug')}%zz`)],
    ['no host', 400, () => send(`POST ${path('mtn-ug')} HTTP/1.1\r\n`)],
    [
      'a header that is none',
      400,
      () => send(`POST ${path('mtn-ug')} HTTP/1.1\r\n${HOST}none\r\n`),
    ],
    ['two lengths', 400, () => post(path('mtn-ug'), 'Content-Length: 7\r\n')],
    ['too large headers', 431, () => post(path('mtn-ug'), `x: ${'x'.repeat(20_000)}\r\n`)],
    ['an expectation', 417, () => post(path('mtn-ug'), 'Expect: tea\r\n')],
    [
      'a store that is unavailable',
      503,
      () => whileStoreThrows(overloaded(), () => post(path('mtn-ug'))),
    ],
    [
      'a store that fails',
      500,
      () => whileStoreThrows(new Error('failed'), () => post(path('mtn-ug'))),
    ],
  ])('%s is %i', async (_, status, request) => {
    expect(await request()).toBe(status)
  })
})

const postWithPath = (url: string) => post(url, `X-Original-URI: https://pay.example${url}\r\n`)

async function whileStoreThrows(error: Error, request: () => Promise<number>) {
  const { work } = stage.store
  stage.store.work = () => Promise.reject(error)
  try {
    return await request()
  } finally {
    stage.store.work = work
  }
}

describe('the secrets of all these requests', () => {
  it('are in no log line', async () => {
    await until(() => stage.lines.some((line) => line.includes('"status":500')))
    expect(stage.lines.length).toBeGreaterThan(20)
    expect(leaks(stage.lines.join(''), seen)).toEqual([])
  })

  it('are in no response', () => {
    expect(bodies.filter((text) => text.includes('"instance"')).length).toBeGreaterThan(15)
    expect(leaks(bodies.join('\n'), seen)).toEqual([])
  })

  it('are in no trace', async () => {
    await until(() =>
      collector.spans.some(({ attributes }) => attributes['error.type'] === 'internal'),
    )
    const routes = collector.spans.map(({ attributes }) => attributes['http.route'])
    expect(routes).toContain('/api/payments/webhook/:account/:attempt/:nonce')
    expect(leaks(collector.bytes().toString('latin1'), seen)).toEqual([])
  })

  it('are in no metric', async () => {
    for (const accept of ['text/plain', 'application/openmetrics-text']) {
      const text = await (
        await fetch(`${stage.client.url}/metrics`, { headers: { accept } })
      ).text()
      expect(text).toContain('route="/api/payments/webhook/:account/:attempt/:nonce"')
      expect(leaks(text, seen)).toEqual([])
    }
  })

  it('are in no stored header', async () => {
    const messages = await stage.messages()
    expect(messages.length).toBeGreaterThan(2)
    const headers = messages.map((message) => message.headers)
    expect(leaks(JSON.stringify(headers), seen)).toEqual([])
  })
})
