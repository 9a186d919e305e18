import { HealthController } from '@malipo/kit/health'
import { MetricsController } from '@malipo/kit/telemetry/metrics'
import { Module } from '@nestjs/common'
import { PATH_METADATA } from '@nestjs/common/constants.js'
import { DiscoveryModule, DiscoveryService, MetadataScanner } from '@nestjs/core'
import { saysWhoMayCall } from './caller.guard.js'

/** What probes and Prometheus ask for, which the ingress doesn't let through. */
const OPEN: readonly unknown[] = [HealthController, MetricsController]

/**
 * A route that doesn't say who may call it is a mistake that nobody notices, for it works: so the app
 * isn't built with one.
 */
@Module({ imports: [DiscoveryModule] })
export class ScopedRoutes {
  /** @throws Error that names the routes without `NeedsScope` or `PublicBySignature` */
  constructor(discovery: DiscoveryService, scanner: MetadataScanner) {
    const open = discovery
      .getControllers()
      .flatMap(({ metatype }) => (metatype && !OPEN.includes(metatype) ? [metatype] : []))
      .flatMap((controller) => openRoutes(controller, scanner))
    if (open.length > 0) {
      throw new Error(`who may call ${open.join(', ')}? Say it by NeedsScope or PublicBySignature`)
    }
  }
}

function openRoutes(controller: { name: string; prototype: object }, scanner: MetadataScanner) {
  const { prototype } = controller as { prototype: Record<string, object> }
  return scanner
    .getAllMethodNames(prototype)
    .filter((name) => {
      const handler = prototype[name]
      return handler && Reflect.hasMetadata(PATH_METADATA, handler) && !saysWhoMayCall(handler)
    })
    .map((name) => `${controller.name}.${name}`)
}
