import { createApp } from '@malipo/kit/bootstrap'
import { NeedsToken, Public } from '@malipo/kit/http/access'
import { Controller, type DynamicModule, Get, Module, type Type } from '@nestjs/common'
import { expect, inject, it } from 'vitest'
import { AppModule } from '../src/app.module.js'
import { type Env, readEnv } from '../src/env.js'
import { NeedsScope, SignedGuard } from '../src/tokens/caller.guard.js'
import { environment } from './auth.js'

/** Each test builds an app from the service and some of these controllers. */

@Controller('api/declared')
class Declared {
  @Get('public')
  @Public()
  public() {
    return this.helper()
  }

  @Get('token')
  @NeedsToken(SignedGuard)
  token() {
    return {}
  }

  @Get('scope')
  @NeedsScope('auth:admin')
  scope() {
    return {}
  }

  /** A method without a route needs no declaration. */
  helper() {
    return {}
  }
}

@Controller('api/forgotten')
class Forgotten {
  @Get()
  @NeedsScope('auth:admin')
  declared() {
    return {}
  }

  @Get('open')
  open() {
    return {}
  }
}

@Controller('api/empty')
class EmptyScopes {
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
      const service = AppModule.with(env)
      return {
        ...service,
        imports: [...(service.imports ?? []), ...imports],
        controllers: [...(service.controllers ?? []), ...controllers],
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
  ['a route of an imported module', () => build([Declared], [Imported]), /^Bare\.open must/],
  ['a route that names no scope', () => build([EmptyScopes]), /^EmptyScopes\.empty must/],
])('the service does not start with %s that declares no access', async (_, app, message) => {
  await expect(app()).rejects.toThrow(message)
})
