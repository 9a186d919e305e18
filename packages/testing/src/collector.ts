import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CollectedSpan, readSpans } from './otlp.js'

export type { CollectedSpan } from './otlp.js'

/** A trace collector that accepts OTLP over HTTP and records the spans. */
export interface Collector {
  /** The value for `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string
  readonly spans: readonly CollectedSpan[]
  /** All bytes that the collector received. */
  readonly bytes: () => Buffer
  readonly headers: readonly IncomingHttpHeaders[]
  /** Sets the response to later requests; with `hang`, they get no response. */
  answer(response: 200 | 400 | 503 | 'hang'): void
  close(): Promise<void>
}

export async function startCollector(port = 0): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const bodies: Buffer[] = []
  const headers: IncomingHttpHeaders[] = []
  let answer: 200 | 400 | 503 | 'hang' = 200
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      headers.push(request.headers)
      bodies.push(body)
      if (answer === 'hang') return
      if (answer === 200) {
        const isOtlp =
          request.url === '/v1/traces' &&
          request.headers['content-type'] === 'application/x-protobuf'
        if (!isOtlp) return response.writeHead(404).end()
        spans.push(...readSpans(body))
      }
      response.writeHead(answer, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    bytes: () => Buffer.concat(bodies),
    headers,
    answer: (response) => void (answer = response),
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
