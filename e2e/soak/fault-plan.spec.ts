import { expect, it } from 'vitest'
import { Draw } from '../charges/draw.ts'
import { FAULT_NAMES, faultPlan, type PlannedFault, REPLICAS } from './fault-plan.ts'

function first(seed: string, count: number): PlannedFault[] {
  const plan = faultPlan(new Draw(seed))
  return Array.from({ length: count }, () => plan.next().value)
}

it('depends on the seed only', () => {
  expect(first('1', 50)).toEqual(first('1', 50))
  expect(first('1', 50)).not.toEqual(first('2', 50))
})

it('injects each kind of fault soon', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const early = first(String(seed), 60).filter(({ atMs }) => atMs < 75_000)
    expect(new Set(early.map(({ name }) => name))).toEqual(new Set(FAULT_NAMES))
  }
})

it('leaves a replica of each service alone', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const faults = first(String(seed), 200)
    for (const replicas of Object.values(REPLICAS)) {
      const own = faults.filter(({ target }) => (replicas as readonly string[]).includes(target))
      for (const { atMs } of own) {
        const isDown = (fault: PlannedFault) =>
          fault.atMs <= atMs && atMs <= fault.atMs + fault.durationMs
        expect(new Set(own.filter(isDown).map(({ target }) => target)).size).toBeLessThan(
          replicas.length,
        )
      }
    }
  }
})
