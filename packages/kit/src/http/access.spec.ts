import 'reflect-metadata'
import { Controller, Get, Module, Post, type Type } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { expect, it } from 'vitest'
import {
  type Access,
  AccessCheck,
  accessOf,
  bearerToken,
  insufficientScope,
  NeedsToken,
  needsScope,
  Public,
  PublicBySignature,
} from './access.js'

class Guard {
  canActivate() {
    return false
  }
}
const NeedsScope = needsScope<'read' | 'write'>(Guard)

@Controller('declared')
class Declared {
  @Get('public')
  @Public()
  public() {
    return this.helper()
  }

  @Post('signed')
  @PublicBySignature(Guard)
  signed() {}

  @Get('token')
  @NeedsToken(Guard)
  token() {}

  @Get('scope')
  @NeedsScope('read', 'write')
  scope() {}

  /** A method that is not a route. */
  helper() {}
}

@Controller('forgotten')
class Forgotten {
  @Get()
  @Public()
  declared() {}

  @Get('open')
  open() {}
}

@Controller('empty')
class Empty {
  @Get()
  // @ts-expect-error at least one scope is required
  @NeedsScope()
  scope() {}
}

function start(...controllers: Type[]) {
  @Module({ controllers })
  class Imported {}
  @Module({ imports: [AccessCheck, Imported] })
  class App {}
  return NestFactory.createApplicationContext(App, { abortOnError: false, logger: false })
}

it.each<[keyof Declared, Access | undefined]>([
  ['public', { kind: 'public' }],
  ['signed', { kind: 'signature' }],
  ['token', { kind: 'token' }],
  ['scope', { kind: 'scope', scopes: ['read', 'write'] }],
  ['helper', undefined],
])('%s declares %j', (method, access) => {
  expect(accessOf(Declared.prototype[method])).toEqual(access)
})

it('an app starts when each of its routes declares access', async () => {
  const app = await start(Declared)
  await app.close()
})

it.each([
  ['declares nothing', Forgotten, /^Forgotten\.open must/],
  ['names no scope', Empty, /^Empty\.scope must/],
])('an app does not start with a route that %s', async (_, controller, message) => {
  await expect(start(Declared, controller)).rejects.toThrow(message)
})

it('names the missing scopes in the challenge', () => {
  const kind = { type: 'insufficient-scope', status: 403, title: '' }
  const { detail, extras } = insufficientScope(kind, ['read', 'write'])
  expect(detail).toBe('The token needs the scope read or write.')
  expect(extras.headers).toEqual({
    'www-authenticate': 'Bearer error="insufficient_scope", scope="read write"',
  })
})

it.each([
  ['Bearer abc.def-_~+/.x==', 'abc.def-_~+/.x=='],
  ['bearer abc', 'abc'],
  ['BEARER  abc', 'abc'],
  [undefined, undefined],
  ['', undefined],
  ['Bearer', undefined],
  ['Bearer ', undefined],
  ['Bearerabc', undefined],
  ['Bearer a b', undefined],
  ['Bearer a, Bearer b', undefined],
  ['Bearer =a', undefined],
  ['Bearer é', undefined],
  ['Basic abc', undefined],
  [' Bearer abc', undefined],
])('the token of %j is %j', (header, token) => {
  expect(bearerToken(header)).toBe(token)
})

it('rejects a long header in linear time', () => {
  const started = performance.now()
  expect(bearerToken(`Bearer ${' '.repeat(8_000)}${'='.repeat(8_000)}!`)).toBeUndefined()
  expect(performance.now() - started).toBeLessThan(100)
})
