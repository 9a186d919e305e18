import { setTimeout as sleep } from 'node:timers/promises'
import type { Draw } from '../charges/draw.ts'
import {
  FAULT_NAMES,
  type FaultName,
  faultPlan,
  type PlannedFault,
  type Target,
} from './fault-plan.ts'
import type { Platform } from './platform.ts'

/** Injects the planned faults while payments are created. */
export class Faults {
  readonly injected = new Map<FaultName, number>()
  readonly problems: string[] = []
  private readonly platform: Platform
  /** The last fault of each target. */
  private readonly running = new Map<Target, Promise<void>>()
  private readonly isOver: () => boolean

  /** @param isOver whether no more faults are needed, if each kind was injected once */
  constructor(platform: Platform, isOver: () => boolean) {
    this.platform = platform
    this.isOver = isOver
  }

  /** Resolves when all faults have ended. */
  async run(draw: Draw): Promise<void> {
    const since = Date.now()
    for (const fault of faultPlan(draw)) {
      if (this.isOver() && this.injected.size === FAULT_NAMES.length) break
      // On a slow machine, faults are late, and none is left out.
      await sleep(Math.max(0, since + fault.atMs - Date.now()))
      const { name, target, durationMs } = fault
      // A process that is still starting or stopping gets no fault.
      await this.running.get(target)
      console.log(`${seconds(Date.now() - since)}: ${name} (${target}, ${seconds(durationMs)})`)
      this.injected.set(name, (this.injected.get(name) ?? 0) + 1)
      const running = this.inject(fault).catch(
        (error: unknown) => void this.problems.push(`${name} (${target}): ${String(error)}`),
      )
      this.running.set(target, running)
    }
    await Promise.all(this.running.values())
  }

  private async inject({ action, target, durationMs }: PlannedFault): Promise<void> {
    const { servers } = this.platform
    if (target === 'PostgreSQL') {
      if (action === 'crash') await servers.postgres.kill()
      await sleep(durationMs)
      return servers.postgres.restart()
    }
    if (target === 'Redis') return void (await servers.redisCommand('FLUSHALL'))
    const program = this.platform.program(target)
    if (action === 'freeze') {
      program.freeze()
      await sleep(durationMs)
      return program.thaw()
    }
    await (action === 'kill' ? program.kill() : program.stop())
    await sleep(durationMs)
    await program.start()
  }
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
