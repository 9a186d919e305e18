/** Reads the fields of a parsed YAML or JSON object, and collects every fault instead of the first one. */

/** A fault: where it is, relative to the object, and what would be right. */
export interface Fault {
  readonly at: string
  readonly message: string
}

export type Parsed<T> = { readonly value: T } | { readonly faults: readonly Fault[] }

/** The fields of an object. A value that is not an object is a fault, and so is each field that is not read. */
export function readFields(given: unknown): Fields {
  return new Fields(given)
}

export class Fields {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #read = new Set<string>()
  readonly #faults: Fault[] = []

  constructor(given: unknown) {
    const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
    this.#values = isObject ? (given as Record<string, unknown>) : {}
    if (!isObject && given !== undefined && given !== null) {
      this.fault('', 'must be a mapping of fields')
    }
  }

  /** A value as parsed; undefined if it is absent or null. */
  any(name: string): unknown {
    this.#read.add(name)
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined
    return value ?? undefined
  }

  /** A string that matches; undefined, and no fault, if it is absent. */
  optionalText(name: string, form: RegExp, message: string): string | undefined {
    const value = this.any(name)
    if (value === undefined || (typeof value === 'string' && form.test(value))) return value
    this.fault(name, message)
    return undefined
  }

  /** A string that matches; an empty one, and a fault, otherwise. */
  text(name: string, form: RegExp, message: string): string {
    this.#require(name, message)
    return this.optionalText(name, form, message) ?? ''
  }

  /** One of some words; the first one, and a fault, otherwise. Without a value, `fallback` if there is one. */
  oneOf<const T extends string>(name: string, words: readonly [T, ...T[]], fallback?: T): T {
    const value = this.any(name)
    if (value === undefined && fallback !== undefined) return fallback
    const word = words.find((each) => each === value)
    if (word === undefined) this.fault(name, `must be ${words.join(' or ')}`)
    return word ?? words[0]
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.any(name) ?? fallback
    if (typeof value === 'boolean') return value
    this.fault(name, 'must be true or false')
    return fallback
  }

  integer(name: string, range: { min: number; max: number }, fallback?: number): number {
    const value = this.any(name) ?? fallback
    const isValid = typeof value === 'number' && Number.isInteger(value)
    if (isValid && value >= range.min && value <= range.max) return value
    this.fault(name, `must be a whole number from ${range.min} to ${range.max}`)
    return range.min
  }

  /** A list of strings that match, without repetitions; at least one. */
  list(name: string, form: RegExp, message: string, fallback?: readonly string[]): string[] {
    const value = this.any(name) ?? fallback
    const items: unknown[] = Array.isArray(value) ? value : []
    const texts = items.filter((item): item is string => typeof item === 'string')
    const isValid =
      texts.length > 0 && texts.length === items.length && texts.every((text) => form.test(text))
    if (isValid && new Set(texts).size === texts.length) return texts
    this.fault(name, `must be a list without repetitions, in which each item ${message}`)
    return []
  }

  /** The fields of an object within this one. Its faults are reported by `include`. */
  within(name: string): Fields {
    return new Fields(this.any(name))
  }

  /** Takes over the faults of a part of this object. */
  include(name: string, faults: readonly Fault[]) {
    for (const { at, message } of faults) this.fault(join(name, at), message)
  }

  fault(at: string, message: string) {
    this.#faults.push({ at, message })
  }

  /** Every fault so far, with those of fields that no rule has read. */
  faults(): readonly Fault[] {
    const known = [...this.#read].join(', ') || 'none'
    const unknown = Object.keys(this.#values).filter((name) => !this.#read.has(name))
    const message = `is not a field here; the fields are: ${known}`
    return [...this.#faults, ...unknown.map((at) => ({ at, message }))]
  }

  /** The result of a reading: the value if there is no fault. */
  result<T>(value: T): Parsed<T> {
    const faults = this.faults()
    return faults.length > 0 ? { faults } : { value }
  }

  #require(name: string, message: string) {
    if (this.any(name) === undefined) this.fault(name, `is required and ${message}`)
  }
}

function join(outer: string, inner: string): string {
  if (inner === '') return outer
  return inner.startsWith('[') ? `${outer}${inner}` : `${outer}.${inner}`
}
