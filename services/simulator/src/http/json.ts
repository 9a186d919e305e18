/** A JSON object, or undefined if the bytes are anything else. */
export function parseObject(body: unknown): Readonly<Record<string, unknown>> | undefined {
  if (!Buffer.isBuffer(body)) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    return asObject(JSON.parse(text))
  } catch {
    return undefined
  }
}

export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : undefined
}
