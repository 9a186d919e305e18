import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { allowedMethods } from './allowed-methods.js'

const app = fastify()
app.post('/api/payments', () => '')
app.get('/api/payments', () => '')
app.get('/api/payments/:reference', () => '')
app.post('/api/payments/webhook', () => '')
app.get('/docs/*', () => '')
app.get('/a.b', () => '')
await app.ready()

it.each([
  ['/api/payments', ['GET', 'HEAD', 'POST']],
  ['/api/payments?limit=1', ['GET', 'HEAD', 'POST']],
  ['/%61pi/payments', ['GET', 'HEAD', 'POST']],
  ['http://any.example/api/payments', ['GET', 'HEAD', 'POST']],
  ['/api/payments/PAY-1', ['GET', 'HEAD']],
  // `/api/payments/:reference` matches this path too.
  ['/api/payments/webhook', ['GET', 'HEAD', 'POST']],
  ['/api/payments/', ['GET', 'HEAD']],
  ['/api/payments/PAY-1/more', []],
  ['/api', []],
  ['/docs/index.html', []],
  ['/aXb', []],
  ['/a.b', ['GET', 'HEAD']],
])('the methods of %s are %j', (target, methods) => {
  expect(allowedMethods(app, target)).toEqual(methods)
})
