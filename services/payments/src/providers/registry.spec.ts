import { describe, expect, it } from 'vitest'
import { ADAPTERS, adapterNamed } from './registry.js'

describe('the registry', () => {
  it('has adapters by unique names', () => {
    const names = ADAPTERS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const adapter of ADAPTERS) expect(adapterNamed(adapter.name)).toBe(adapter)
    expect(adapterNamed('toString')).toBeUndefined()
  })

  it('has adapters that read callbacks exactly if the provider calls a URL of the adapter', () => {
    for (const adapter of ADAPTERS) {
      const isOwn = ['attempt', 'account'].includes(adapter.capabilities.callback.url)
      expect('readCallback' in adapter).toBe(isOwn)
    }
  })

  it('has one adapter that sends nothing', () => {
    const silent = ADAPTERS.filter(({ initiate, query }) => !initiate && !query)
    expect(silent.map(({ name }) => name)).toEqual(['manual'])
  })
})
