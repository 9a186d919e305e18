import { readFileSync } from 'node:fs'
import { aclRules } from '@malipo/kit/redis/redis-access'
import { expect, it } from 'vitest'
import { REDIS_ACCESS } from '../src/redis-access.js'

const ROOT = new URL('../../../', import.meta.url)

it('the documented user of Redis, and that of the chart, have exactly the rights that the service needs', () => {
  const rules = aclRules(REDIS_ACCESS)
  const docs = readFileSync(new URL('docs/configuration.md', ROOT), 'utf8')
  expect(docs).toContain(`\nuser payments on >PASSWORD ${rules}\n`)
  const chart = readFileSync(new URL('charts/redis/templates/_redis.tpl', ROOT), 'utf8')
  const [, users = ''] = /^payments: \[(.*)\]$/m.exec(chart) ?? []
  expect(users.replaceAll('"', '').split(', ').join(' ')).toBe(rules)
})
