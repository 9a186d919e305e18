import { createApp } from '@malipo/kit/bootstrap'
import { KitModule } from '@malipo/kit/kit.module'
import { Controller, type DynamicModule, Get, Module, Post, type Type } from '@nestjs/common'
import { expect, inject, it } from 'vitest'
import { NeedsScope, PublicBySignature } from '../src/caller/caller.guard.js'
import { callerProviders } from '../src/caller/caller.providers.js'
import { ScopedRoutes } from '../src/caller/scoped-routes.js'
import { dataSource } from '../src/data-source.js'
import { type Env, readEnv } from '../src/env.js'
import { environment } from './payments.js'

/** An app with a controller of the test is built as the service is. */

@Controller('api/said')
class Said {
  @Get()
  @NeedsScope('payments:read')
  read() {
    return {}
  }

  @Post()
  @PublicBySignature(Said)
  receive() {
    return this.helper()
  }

  canActivate() {
    return false
  }

  /** Not a route. */
  helper() {
    return {}
  }
}

@Controller('api/forgotten')
class Forgotten {
  @Get()
  @NeedsScope('payments:read')
  said() {
    return {}
  }

  @Get('open')
  open() {
    return {}
  }
}

@Controller('api/nobody')
class Nobody {
  @Get()
  // @ts-expect-error no scope is named
  @NeedsScope()
  empty() {
    return {}
  }
}

@Controller('api/bare')
class Bare {
  @Get()
  open() {
    return {}
  }
}

@Module({ controllers: [Bare] })
class Imported {}

function build(controllers: Type[], imports: Type[] = []) {
  class App {
    static about = { name: 'test', title: '', description: '', version: '' }
    static with(env: Env): DynamicModule {
      return {
        module: App,
        imports: [KitModule.with('test', env, dataSource), ScopedRoutes, ...imports],
        controllers,
        providers: [...callerProviders(env), Said],
      }
    }
  }
  return createApp(App, readEnv(environment({ DATABASE_URL: inject('postgresUrl') })))
}

it('an app whose routes all say who may call them is built', async () => {
  const app = await build([Said])
  await app.close()
})

it.each<[string, () => ReturnType<typeof build>, RegExp]>([
  ['a route of its own', () => build([Said, Forgotten]), /who may call Forgotten\.open\?/],
  ['a route of an imported module', () => build([Said], [Imported]), /Bare\.open/],
  ['a route that names no scope', () => build([Nobody]), /Nobody\.empty/],
])('an app is not built with %s that doesn’t', async (_, app, message) => {
  await expect(app()).rejects.toThrow(message)
})
