import { Module } from '@nestjs/common'
import { PATH_METADATA } from '@nestjs/common/constants.js'
import { DiscoveryModule, DiscoveryService, MetadataScanner } from '@nestjs/core'
import { accessOf } from './access.js'

/**
 * Aborts the start of a service if a route declares no access, because that route would be open to everyone.
 */
@Module({ imports: [DiscoveryModule] })
export class AccessCheck {
  /** @throws Error that names the routes */
  constructor(discovery: DiscoveryService, scanner: MetadataScanner) {
    const open = discovery
      .getControllers()
      .flatMap(({ metatype }) => (metatype ? openRoutes(metatype, scanner) : []))
    if (open.length > 0) {
      throw new Error(
        `${open.join(', ')} must declare access: Public, PublicBySignature, NeedsToken or NeedsScope`,
      )
    }
  }
}

function openRoutes(controller: { name: string; prototype: object }, scanner: MetadataScanner) {
  const { prototype } = controller as { prototype: Record<string, object> }
  return scanner
    .getAllMethodNames(prototype)
    .filter((name) => {
      const handler = prototype[name]
      return handler && Reflect.hasMetadata(PATH_METADATA, handler) && !accessOf(handler)
    })
    .map((name) => `${controller.name}.${name}`)
}
