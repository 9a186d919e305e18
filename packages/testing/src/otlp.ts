/**
 * Decodes the fields of an OTLP trace export that tests use (opentelemetry-proto 1.x, trace.proto and
 * common.proto).
 */

type Value = string | number | boolean | bigint

/** A received span, with ids in hexadecimal and times in milliseconds since the epoch. */
export interface CollectedSpan {
  readonly service: string
  readonly resource: Readonly<Record<string, Value>>
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root span. */
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: 'unknown' | 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Readonly<Record<string, Value>>
  readonly events: readonly string[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly failed: boolean
}

const KINDS = ['unknown', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const ERROR = 2

/** The spans of an `ExportTraceServiceRequest`. */
export function readSpans(body: Buffer): CollectedSpan[] {
  return messages(body, 1).flatMap((resourceSpans) => {
    const resource = attributes(messages(resourceSpans, 1).flatMap((each) => messages(each, 1)))
    const spans = messages(resourceSpans, 2).flatMap((scopeSpans) => messages(scopeSpans, 2))
    return spans.map((span) => readSpan(span, resource))
  })
}

function readSpan(span: Buffer, resource: Record<string, Value>): CollectedSpan {
  const [status = Buffer.alloc(0)] = messages(span, 15)
  return {
    service: String(resource['service.name']),
    resource,
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    traceState: text(span, 3),
    parentSpanId: hex(span, 4),
    name: text(span, 5),
    kind: KINDS[Number(numberOf(span, 6))] ?? 'unknown',
    startMs: Number(numberOf(span, 7)) / 1e6,
    endMs: Number(numberOf(span, 8)) / 1e6,
    attributes: attributes(messages(span, 9)),
    events: messages(span, 11).map((event) => text(event, 2)),
    links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    failed: Number(numberOf(status, 3)) === ERROR,
  }
}

function attributes(pairs: readonly Buffer[]): Record<string, Value> {
  return Object.fromEntries(
    pairs.map((pair) => [text(pair, 1), value(messages(pair, 2)[0] ?? Buffer.alloc(0))]),
  )
}

function value(any: Buffer): Value {
  for (const { field, data, bits } of fields(any)) {
    if (field === 1) return (data ?? any).toString()
    if (field === 2) return bits !== 0n
    if (field === 3) return Number(BigInt.asIntN(64, bits))
    if (field === 4) return new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? NaN
    return (data ?? any).toString('hex')
  }
  return ''
}

interface Field {
  readonly field: number
  readonly data: Buffer | undefined
  readonly bits: bigint
}

const messages = (buffer: Buffer, number: number): Buffer[] =>
  fields(buffer).flatMap(({ field, data }) => (field === number && data ? [data] : []))
const text = (buffer: Buffer, number: number) => messages(buffer, number)[0]?.toString() ?? ''
const hex = (buffer: Buffer, number: number) => messages(buffer, number)[0]?.toString('hex') ?? ''
const numberOf = (buffer: Buffer, number: number) =>
  fields(buffer).find(({ field }) => field === number)?.bits ?? 0n

/** The fields of a message in order (protobuf.dev/programming-guides/encoding). */
function fields(buffer: Buffer): Field[] {
  const found: Field[] = []
  let at = 0
  const varint = () => {
    let result = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer[at++]
      if (byte === undefined) throw new Error('the protobuf message is truncated')
      result |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return result
    }
  }
  const take = (bytes: number) => {
    if (at + bytes > buffer.length) throw new Error('the protobuf message is truncated')
    return buffer.subarray(at, (at += bytes))
  }
  while (at < buffer.length) {
    const tag = Number(varint())
    const field = tag >> 3
    const type = tag & 7
    if (type === 0) found.push({ field, data: undefined, bits: varint() })
    else if (type === 1) found.push({ field, data: undefined, bits: take(8).readBigUInt64LE() })
    else if (type === 2) found.push({ field, data: take(Number(varint())), bits: 0n })
    else if (type === 5)
      found.push({ field, data: undefined, bits: BigInt(take(4).readUInt32LE()) })
    else throw new Error(`the protobuf wire type ${type} is not supported`)
  }
  return found
}
