import { expect, it } from 'vitest'
import { RouteTable } from './route-table.js'

const routes = new RouteTable()
routes.add('/api/payments', 'POST')
routes.add('/api/payments', ['GET', 'HEAD'])
routes.add('/api/payments/:reference', 'GET')
routes.add('/api/payments/webhook', 'POST')
routes.add('/docs/*', 'GET')
routes.add('/a.b', 'GET')

it.each([
  ['/api/payments', ['GET', 'HEAD', 'POST']],
  ['/api/payments/PAY-1', ['GET']],
  // `/api/payments/:reference` matches this path too.
  ['/api/payments/webhook', ['GET', 'POST']],
  ['/api/payments/', []],
  ['/api/payments/PAY-1/more', []],
  ['/api', []],
  ['/docs/index.html', []],
  ['/aXb', []],
  ['/a.b', ['GET']],
])('the methods of %s are %j', (path, methods) => {
  expect(routes.methodsOf(path)).toEqual(methods)
})
