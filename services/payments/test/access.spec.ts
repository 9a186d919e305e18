import { createApp } from '@malipo/kit/bootstrap'
import { PublicBySignature } from '@malipo/kit/http/access'
import { KitModule } from '@malipo/kit/kit.module'
import { Controller, type DynamicModule, Get, Module, Post, type Type } from '@nestjs/common'
import { expect, inject, it } from 'vitest'
import { NeedsScope } from '../src/caller/caller.guard.js'
import { callerProviders } from '../src/caller/caller.providers.js'
import { dataSource } from '../src/data-source.js'
import { type Env, readEnv } from '../src/env.js'
import { environment } from './payments.js'

/** Each app has kit, the providers that authenticate callers, and the controllers of one test. */

@Controller('api/declared')
class Declared {
  @Get()
  @NeedsScope('payments:read')
  read() {
    return {}
  }

  @Post()
  @PublicBySignature(Declared)
  receive() {
    return this.helper()
  }

  canActivate() {
    return false
  }

  /** A method that is not a route. */
  helper() {
    return {}
  }
}

@Controller('api/forgotten')
class Forgotten {
  @Get()
  @NeedsScope('payments:read')
  declared() {
    return {}
  }

  @Get('open')
  open() {
    return {}
  }
}

@Controller('api/no-scope')
class NoScope {
  @Get()
  // @ts-expect-error at least one scope is required
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
        imports: [KitModule.with('test', env, dataSource), ...imports],
        controllers,
        providers: [...callerProviders(env), Declared],
      }
    }
  }
  return createApp(App, readEnv(environment({ DATABASE_URL: inject('postgresUrl') })))
}

it('the service starts when each route declares access', async () => {
  const app = await build([Declared])
  await app.close()
})

it.each<[string, () => ReturnType<typeof build>, RegExp]>([
  ['a route of the service', () => build([Declared, Forgotten]), /^Forgotten\.open must/],
  ['a route of an imported module', () => build([Declared], [Imported]), /Bare\.open/],
  ['a route that names no scope', () => build([NoScope]), /NoScope\.empty/],
])('the service does not start with %s that declares no access', async (_, app, message) => {
  await expect(app()).rejects.toThrow(message)
})
