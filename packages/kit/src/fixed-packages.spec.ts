import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')

/** The packages that the product's users require, and that no refactoring may drop. */
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

/** Matches the imports that remain in compiled code, which excludes type-only imports. */
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
