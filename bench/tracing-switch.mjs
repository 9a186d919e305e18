/**
 * Loaded into payments before its own code (`--import`): turns tracing off and on in the running process.
 * Two processes of one code differ by more than tracing costs, since each compiles its own way.
 *
 * `GET /?part=0.05` on SWITCH_PORT records that part of the traces from then on, 0 none.
 */
import { createServer } from 'node:http'
import { stopTracing, startTracing } from '@malipo/kit/telemetry/tracing'

const { SWITCH_PORT, OTEL_EXPORTER_OTLP_ENDPOINT } = process.env
const about = { name: 'payments', version: 'bench' }
const log = /** @type {never} */ ({ info: console.log, warn: console.error })

createServer(async (request, response) => {
  const part = Number(new URL(request.url ?? '', 'http://switch').searchParams.get('part'))
  await stopTracing()
  const env = { OTEL_EXPORTER_OTLP_HEADERS: {}, OTEL_TRACES_SAMPLER_ARG: part }
  if (part > 0) await startTracing(about, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT }, log)
  response.end()
})
  .listen(Number(SWITCH_PORT), '127.0.0.1')
  .unref()
