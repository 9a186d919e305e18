import type { INestApplication } from '@nestjs/common'
import type { Logger } from '../telemetry/logger.js'
import { Drain } from './drain.js'

const SIGNALS = ['SIGTERM', 'SIGINT']

/**
 * Shuts the app down on SIGTERM or SIGINT, and exits with 1 if that takes longer than `limitMs`: a connection
 * that never closes must not outlast the pod's grace period.
 */
export function shutDownOnSignal(app: INestApplication, limitMs: number, log: Logger) {
  app.enableShutdownHooks(SIGNALS, { useProcessExit: true })
  const drain = app.get(Drain)
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      // Runs before Nest stops the modules' background work, so that readiness fails immediately.
      drain.begin()
      setTimeout(() => {
        log.error(`shutdown took longer than ${limitMs} ms: exiting`)
        process.exit(1)
      }, limitMs).unref()
    })
  }
}
