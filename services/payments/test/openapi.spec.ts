import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Payments, startPayments } from './payments.js'

/** The OpenAPI document. Each test's client validates responses against it. */

let payments: Payments
beforeAll(async () => void (payments = await startPayments()))
afterAll(() => payments.close())

const PATH = '/api/payments'

describe('the OpenAPI document', () => {
  it('has the routes of the contract only', async () => {
    const { paths, components } = await payments.client.document()
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(routes.sort()).toEqual([
      'DELETE /api/attempts/{id}/resolve/{proposalId}',
      'GET /api/attempts',
      'GET /api/attempts/{id}',
      'GET /api/operator-actions',
      'GET /api/payments',
      'GET /api/payments/methods',
      'GET /api/payments/{reference}',
      'GET /api/payments/{reference}/events',
      'GET /api/provider-messages',
      'GET /api/provider-messages/{id}',
      'POST /api/attempts/{id}/query',
      'POST /api/attempts/{id}/resolve',
      'POST /api/attempts/{id}/resolve/{proposalId}/confirm',
      'POST /api/payments',
      'POST /api/payments/webhook/provider',
      'POST /api/payments/webhook/{account}',
      'POST /api/payments/webhook/{account}/{attempt}/{nonce}',
      'POST /api/payments/{reference}/status',
      'POST /api/provider-messages/{id}/replay',
      'PUT /api/payments/webhook/{account}/{attempt}/{nonce}',
    ])
    expect(components).toHaveProperty('securitySchemes.bearer')
  })

  it('has every status of each route', async () => {
    const { paths } = await payments.client.document()
    const statuses = (path: string, method: string) =>
      Object.keys(paths[path]?.[method]?.responses ?? {}).map(Number)
    expect(statuses(PATH, 'post')).toEqual([201, 400, 401, 403, 409, 413, 415, 422, 429, 503])
    expect(statuses(PATH, 'get')).toEqual([200, 400, 401, 403, 429, 503])
    expect(statuses(`${PATH}/{reference}`, 'get')).toEqual([
      200, 304, 400, 401, 403, 404, 414, 429, 503,
    ])
    expect(statuses(`${PATH}/{reference}/status`, 'post')).toEqual([
      200, 400, 401, 403, 404, 409, 412, 413, 414, 415, 422, 429, 503,
    ])
    expect(statuses(`${PATH}/webhook/provider`, 'post')).toEqual([
      200, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503,
    ])
    const callbacks = [
      statuses(`${PATH}/webhook/{account}/{attempt}/{nonce}`, 'post'),
      statuses(`${PATH}/webhook/{account}/{attempt}/{nonce}`, 'put'),
      statuses(`${PATH}/webhook/{account}`, 'post'),
    ]
    expect(callbacks).toEqual(Array(3).fill([200, 400, 404, 413, 414, 503]))
  })

  it('has Swagger UI at /docs', async () => {
    const { status, headers } = await payments.client.get('/docs')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toMatch(/^text\/html/)
  })
})
