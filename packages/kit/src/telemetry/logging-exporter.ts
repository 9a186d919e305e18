import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import type { Logger } from './logger.js'

/** Says once that the collector is away, and once that it is back: spans go by the thousand. */
export class LoggingExporter implements SpanExporter {
  private isAway = false

  constructor(
    private readonly exporter: SpanExporter,
    private readonly log: Logger,
  ) {}

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]) {
    this.exporter.export(spans, (result) => {
      this.tell(result.error)
      done(result)
    })
  }

  shutdown() {
    return this.exporter.shutdown()
  }

  private tell(error: Error | undefined) {
    const isAway = error !== undefined
    if (isAway === this.isAway) return
    this.isAway = isAway
    if (isAway) this.log.warn({ err: error }, 'the collector takes no traces: they are dropped')
    else this.log.info('the collector takes traces again')
  }
}
