import { expect, it } from 'vitest'
import { versionOf } from './release.js'

it('is that of the package which the module is in', () => {
  const ofAuth = new URL('../../../../services/auth/src/app.module.ts', import.meta.url).href
  expect(versionOf(ofAuth)).toMatch(/^\d+\.\d+\.\d+/)
  expect(versionOf(new URL('../openapi.ts', import.meta.url).href)).toMatch(/^\d+\.\d+\.\d+/)
  expect(() => versionOf('file:///nowhere/src/app.module.js')).toThrow('package.json')
})
