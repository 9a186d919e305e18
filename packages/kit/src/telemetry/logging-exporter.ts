import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import type { Logger } from './logger.js'

/** Logs once when exports begin to fail and once when they succeed again. */
export class LoggingExporter implements SpanExporter {
  private isFailing = false

  constructor(
    private readonly exporter: SpanExporter,
    private readonly log: Logger,
  ) {}

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]) {
    this.exporter.export(spans, (result) => {
      this.logChange(result.error)
      done(result)
    })
  }

  shutdown() {
    return this.exporter.shutdown()
  }

  private logChange(error: Error | undefined) {
    const isFailing = error !== undefined
    if (isFailing === this.isFailing) return
    this.isFailing = isFailing
    if (isFailing) this.log.warn({ err: error }, 'collector unavailable: dropping spans')
    else this.log.info('collector available again')
  }
}
