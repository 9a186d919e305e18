import type { Behaviour } from '../timeline/choice.js'
import type { Mix } from '../timeline/mix.js'
import type { Part } from './journal.js'
import { type BookRecord, keyOf, type Provider, type ScriptRecord } from './records.js'

export const MAX_SCRIPTS = 10_000

/** What operators set: scripts, which are used once, and the mix. */
export class Settings implements Part {
  private readonly scripts = new Map<number, ScriptRecord>()
  private readonly byReference = new Map<string, number>()
  private lastId = 0
  private chosen: { readonly seed: string; readonly mix: Mix } | undefined

  constructor(private readonly initial: { readonly seed: string; readonly mix: Mix }) {}

  get nextId(): number {
    return this.lastId + 1
  }

  get isFull(): boolean {
    return this.scripts.size >= MAX_SCRIPTS
  }

  /** The seed and the mix of the environment, until an operator sets others. */
  get mix(): { readonly seed: string; readonly mix: Mix } {
    return this.chosen ?? this.initial
  }

  all(): ScriptRecord[] {
    return [...this.scripts.values()]
  }

  /** The script of this reference, otherwise the oldest one for the next request. */
  find(provider: Provider, reference: string): (Behaviour & { readonly id: number }) | undefined {
    const id = this.byReference.get(keyOf(provider, reference))
    if (id !== undefined) return this.scripts.get(id)
    for (const script of this.scripts.values()) {
      if (script.provider === provider && script.reference === undefined) return script
    }
    return undefined
  }

  apply(record: BookRecord): void {
    if (record.kind === 'mix') this.chosen = { seed: record.seed, mix: record.mix }
    if (record.kind === 'script') this.add(record)
    if (record.kind === 'scripts-cleared') {
      this.scripts.clear()
      this.byReference.clear()
    }
    if (record.kind === 'charge' || record.kind === 'rejection') this.remove(record.script)
  }

  *records(): Generator<BookRecord> {
    if (this.chosen) yield { kind: 'mix', ...this.chosen }
    yield* this.scripts.values()
  }

  private add(script: ScriptRecord) {
    this.lastId = Math.max(this.lastId, script.id)
    if (script.reference !== undefined) {
      const key = keyOf(script.provider, script.reference)
      this.remove(this.byReference.get(key))
      this.byReference.set(key, script.id)
    }
    this.scripts.set(script.id, script)
  }

  private remove(id: number | undefined) {
    const script = id === undefined ? undefined : this.scripts.get(id)
    if (!script) return
    this.scripts.delete(script.id)
    if (script.reference !== undefined) {
      this.byReference.delete(keyOf(script.provider, script.reference))
    }
  }
}
