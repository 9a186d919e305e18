import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')

/** Packages that the product's users require: no refactoring may drop them. */
const FIXED = [
  '@nestjs/core',
  '@nestjs/terminus',
  'typeorm',
  'pg',
  '@nestjs/jwt',
  'bcrypt',
  'class-validator',
  '@nestjs/swagger',
  'prom-client',
  'ioredis',
  'axios',
]

/** Matches imports that remain in compiled code, that is, all but type-only imports. */
const IMPORT = /^(?:import|export) (?!type\b)(?:[^'"]*? from )?'([^'.][^']*)'/gm

const imported = new Set(
  globSync('{services/*,packages/kit}/src/**/*.ts', { cwd: ROOT })
    .filter((path) => !path.endsWith('.spec.ts'))
    .flatMap((path) => [...readFileSync(join(ROOT, path), 'utf8').matchAll(IMPORT)])
    .filter(([statement]) => !/^\w+ \{\s*(?:type [^,}]+,?\s*)+\}/.test(statement))
    .map(([, name]) => name),
)

it.each(FIXED)('%s is imported by code that runs', (name) => {
  expect(imported).toContain(name)
})

it('jsonwebtoken is used only through @nestjs/jwt', () => {
  expect(imported).not.toContain('jsonwebtoken')
})
