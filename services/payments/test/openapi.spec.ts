import type { OpenApiDocument } from '@malipo/testing/conformity'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SUBSCRIPTIONS } from '../src/notifications/events.js'
import { type Payments, startPayments } from './payments.js'

/** The OpenAPI document. Each test's client validates responses against it. */

let payments: Payments
beforeAll(async () => void (payments = await startPayments()))
afterAll(() => payments.close())

const PATH = '/api/payments'

interface Notifications extends OpenApiDocument {
  openapi: string
  webhooks: Record<
    string,
    {
      post: {
        parameters: { name: string }[]
        requestBody: {
          content: { 'application/json': { schema: { properties: { data: { $ref: string } } } } }
        }
      }
    }
  >
}

describe('the OpenAPI document', () => {
  it('has the routes of the contract only', async () => {
    const { paths, components } = await payments.client.document()
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(routes.sort()).toEqual([
      'DELETE /api/attempts/{id}/resolve/{proposalId}',
      'DELETE /api/webhook-endpoints/{id}',
      'GET /api/attempts',
      'GET /api/attempts/{id}',
      'GET /api/deliveries/{id}',
      'GET /api/events',
      'GET /api/notifications',
      'GET /api/operator-actions',
      'GET /api/payments',
      'GET /api/payments/methods',
      'GET /api/payments/{reference}',
      'GET /api/payments/{reference}/events',
      'GET /api/provider-messages',
      'GET /api/provider-messages/{id}',
      'GET /api/webhook-endpoints',
      'GET /api/webhook-endpoints/{id}',
      'GET /api/webhook-endpoints/{id}/deliveries',
      'PATCH /api/webhook-endpoints/{id}',
      'POST /api/attempts/{id}/query',
      'POST /api/attempts/{id}/resolve',
      'POST /api/attempts/{id}/resolve/{proposalId}/confirm',
      'POST /api/deliveries/{id}/resend',
      'POST /api/payments',
      'POST /api/payments/webhook/provider',
      'POST /api/payments/webhook/{account}',
      'POST /api/payments/webhook/{account}/{attempt}/{nonce}',
      'POST /api/payments/{reference}/status',
      'POST /api/provider-messages/{id}/replay',
      'POST /api/webhook-endpoints',
      'POST /api/webhook-endpoints/{id}/ping',
      'POST /api/webhook-endpoints/{id}/replay',
      'POST /api/webhook-endpoints/{id}/rotate-secret',
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
    expect(statuses('/api/events', 'get')).toEqual([200, 400, 401, 403, 429, 503])
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
    const endpoints = '/api/webhook-endpoints'
    expect(statuses(endpoints, 'post')).toEqual([201, 400, 401, 403, 409, 413, 415, 429, 501, 503])
    expect(statuses(endpoints, 'get')).toEqual([200, 400, 401, 403, 429, 503])
    expect(statuses(`${endpoints}/{id}`, 'get')).toEqual([200, 400, 401, 403, 404, 414, 429, 503])
    expect(statuses(`${endpoints}/{id}`, 'patch')).toEqual([
      200, 400, 401, 403, 404, 412, 413, 414, 415, 429, 503,
    ])
    expect(statuses(`${endpoints}/{id}`, 'delete')).toEqual([
      204, 400, 401, 403, 404, 414, 429, 503,
    ])
    expect(statuses(`${endpoints}/{id}/rotate-secret`, 'post')).toEqual([
      200, 400, 401, 403, 404, 413, 414, 415, 429, 501, 503,
    ])
    const reads = [200, 400, 401, 403, 404, 414, 429, 503]
    expect(statuses(`${endpoints}/{id}/deliveries`, 'get')).toEqual(reads)
    expect(statuses('/api/deliveries/{id}', 'get')).toEqual(reads)
    expect(statuses('/api/notifications', 'get')).toEqual([200, 400, 401, 403, 429, 503])
    const requests = [202, 400, 401, 403, 404, 409, 414, 429, 503]
    expect(statuses('/api/deliveries/{id}/resend', 'post')).toEqual(requests)
    expect(statuses(`${endpoints}/{id}/ping`, 'post')).toEqual(requests)
    expect(statuses(`${endpoints}/{id}/replay`, 'post')).toEqual([
      202, 400, 401, 403, 404, 409, 413, 414, 415, 422, 429, 503,
    ])
  })

  it('has the notifications that endpoints receive', async () => {
    const document = (await payments.client.document()) as Notifications
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.webhooks)).toEqual([
      ...SUBSCRIPTIONS.filter((name) => !name.includes('*')),
      'ping',
    ])
    const schemaOf = (name: string) => {
      const { post } = document.webhooks[name] as Notifications['webhooks'][string]
      expect(post.parameters.map((parameter) => parameter.name)).toEqual([
        'webhook-id',
        'webhook-timestamp',
        'webhook-signature',
      ])
      return post.requestBody.content['application/json'].schema
    }
    const data = (name: string) => ({
      required: ['type', 'timestamp', 'data'],
      properties: { type: { enum: [name] } },
    })
    expect(schemaOf('payment.succeeded')).toMatchObject(data('payment.succeeded'))
    const ref = (name: string) => schemaOf(name).properties.data.$ref
    const view = document.paths[`${PATH}/{reference}`]?.['get']?.responses['200']
    expect(view?.content?.['application/json']?.schema).toEqual({ $ref: ref('payment.failed') })
    expect(ref('webhook_endpoint.failing')).toBe('#/components/schemas/EndpointEventDto')
    expect(ref('ping')).toBe('#/components/schemas/PingDto')
    for (const name of ['EndpointEventDto', 'PingDto']) {
      expect(document.components.schemas).toHaveProperty(name)
    }
  })

  it('has no word of OpenAPI 3.0 that 3.1 lacks', async () => {
    expect(JSON.stringify(await payments.client.document())).not.toContain('"nullable"')
  })

  it('has Swagger UI at /docs', async () => {
    const { status, headers } = await payments.client.get('/docs')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toMatch(/^text\/html/)
  })
})
