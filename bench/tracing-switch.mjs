/**
 * Preloaded into payments with `--import`: turns tracing on and off in the running process. Two processes of the
 * same code differ by more than tracing costs, since each compiles its code differently.
 *
 * `GET /?ratio=0.05` on SWITCH_PORT sets the sampling ratio; 0 turns tracing off.
 */
import { createServer } from 'node:http'
import { stopTracing, startTracing } from '@malipo/kit/telemetry/start-tracing'

const { SWITCH_PORT, OTEL_EXPORTER_OTLP_ENDPOINT } = process.env
const service = { name: 'payments', version: 'bench' }
const log = /** @type {never} */ ({ info: console.log, warn: console.error })

createServer(async (request, response) => {
  const ratio = Number(new URL(request.url ?? '', 'http://switch').searchParams.get('ratio'))
  await stopTracing()
  const env = { OTEL_EXPORTER_OTLP_HEADERS: {}, OTEL_TRACES_SAMPLER_ARG: ratio }
  if (ratio > 0) await startTracing(service, { ...env, OTEL_EXPORTER_OTLP_ENDPOINT }, log)
  response.end()
})
  .listen(Number(SWITCH_PORT), '127.0.0.1')
  .unref()
