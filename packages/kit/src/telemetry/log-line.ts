/** 4 kB: a client that causes errors must not fill a disk, and collectors cut or drop longer lines. */
export const MAX_LINE_BYTES = 4_000

/** The lengths to which strings and lists are cut, in turn, until the line is short enough. */
const LENGTHS = [
  { characters: 1_000, elements: 20 },
  { characters: 250, elements: 10 },
  { characters: 50, elements: 3 },
] as const

/** A line of JSON of at most `MAX_LINE_BYTES`. A longer one has its strings and lists cut. */
export function boundedLine(line: string): string {
  // A UTF-16 code unit has at most three bytes in UTF-8.
  if (line.length * 3 <= MAX_LINE_BYTES || Buffer.byteLength(line) <= MAX_LINE_BYTES) return line
  const fields = JSON.parse(line) as Record<string, unknown>
  for (const lengths of LENGTHS) {
    const shorter = `${JSON.stringify(fields, (_name, value: unknown) => cut(value, lengths))}\n`
    if (Buffer.byteLength(shorter) <= MAX_LINE_BYTES) return shorter
  }
  const { level, time, service, requestId, msg } = fields
  const essential = { level, time, service, requestId, msg, isCut: true }
  return `${JSON.stringify(essential, (_name, value: unknown) => cut(value, LENGTHS[1]))}\n`
}

function cut(value: unknown, { characters, elements }: (typeof LENGTHS)[number]): unknown {
  if (Array.isArray(value)) return value.slice(0, elements)
  if (typeof value !== 'string' || value.length <= characters) return value
  return `${value.slice(0, characters)}…`
}
