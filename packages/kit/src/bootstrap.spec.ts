import { expect, it } from 'vitest'
import { versionOf } from './bootstrap.js'

it('versionOf is the version in the package.json of the module', () => {
  const ofAuth = new URL('../../../services/auth/src/app.module.ts', import.meta.url).href
  expect(versionOf(ofAuth)).toMatch(/^\d+\.\d+\.\d+/)
  expect(versionOf(new URL('./bootstrap.ts', import.meta.url).href)).toMatch(/^\d+\.\d+\.\d+/)
  expect(() => versionOf('file:///nowhere/src/app.module.js')).toThrow('package.json')
})
