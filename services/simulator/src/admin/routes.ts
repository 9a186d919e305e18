import type { FastifyInstance } from 'fastify'
import type { Store } from '../charges/charges.js'
import { parseObject } from '../http/json.js'
import type { RequestCounts } from '../http/request-counts.js'
import { MAX_SCRIPTS } from '../book/settings.js'
import { PERSONALITIES, PERSONALITY_NAMES } from '../timeline/personalities.js'
import { InputError, readBehaviour, readCount, readMix, readProvider } from './input.js'
import { countsOf, entryView, rejectionView, scriptView } from './views.js'

interface Services extends Store {
  readonly counts: RequestCounts
}

interface Reference {
  Params: { provider: string; reference: string }
}

const PAGE = { standard: 100, max: 1_000 }

/** The API of operators and tests: docs/simulator.md. */
export function serveAdmin(server: FastifyInstance, services: Services): void {
  serveBook(server, services)
  serveRejections(server, services)
  serveScripts(server, services)
  serveMix(server, services)
  serveCounts(server, services)
}

function serveBook(server: FastifyInstance, { book }: Services) {
  server.get<{ Querystring: { after?: string; limit?: string } }>('/admin/charges', (request) => {
    const after = readCount(
      request.query.after,
      { standard: 0, max: Number.MAX_SAFE_INTEGER },
      'after',
    )
    const limit = readCount(request.query.limit, PAGE, 'limit')
    const entries = [...book.all()].filter(({ nth }) => nth > after)
    const data = entries.slice(0, limit).map(entryView)
    return { data, next: data.length < limit ? null : (data.at(-1)?.nth ?? null) }
  })

  server.get<Reference>('/admin/charges/:provider/:reference', (request, reply) => {
    const { provider, reference } = request.params
    const entry = book.find(readProvider(provider), reference)
    if (entry) return entryView(entry)
    return reply.code(404).send({ statusCode: 404, message: 'The book has no such charge' })
  })
}

function serveRejections(server: FastifyInstance, { book }: Services) {
  server.get('/admin/rejections', () => ({
    data: [...book.rejectedRequests()].map(rejectionView),
  }))
}

function serveScripts(server: FastifyInstance, { settings, journal }: Services) {
  const add = (body: unknown, target: { provider: unknown; reference?: string }) => {
    const behaviour = readBehaviour(parseObject(body) ?? {})
    const provider = readProvider(target.provider)
    if (settings.isFull) throw new InputError(`there are ${MAX_SCRIPTS} scripts: remove some`)
    const id = settings.nextId
    const { reference } = target
    journal.append({ kind: 'script', id, ...behaviour, provider, reference })
    return scriptView({ id, provider, reference, ...behaviour })
  }

  server.get('/admin/scripts', () => ({
    data: settings.all().map(scriptView),
  }))
  server.post<{ Params: { provider: string } }>('/admin/scripts/:provider', (request, reply) => {
    const script = add(request.body, request.params)
    return reply.code(201).send(script)
  })
  server.put<Reference>('/admin/scripts/:provider/:reference', (request) =>
    add(request.body, request.params),
  )
  server.delete('/admin/scripts', (_request, reply) => {
    journal.append({ kind: 'scripts-cleared' })
    return reply.code(204).send()
  })
}

function serveMix(server: FastifyInstance, { settings, journal }: Services) {
  const view = () => ({ seed: settings.mix.seed, weights: settings.mix.mix })
  server.get('/admin/mix', view)
  server.put('/admin/mix', (request) => {
    journal.append({ kind: 'mix', ...readMix(parseObject(request.body) ?? {}) })
    return view()
  })
  server.get('/admin/personalities', () => ({
    data: PERSONALITY_NAMES.map((name) => {
      const { number, weight, text } = PERSONALITIES[name]
      return { name, number, weight, text }
    }),
  }))
}

function serveCounts(server: FastifyInstance, { book, counts }: Services) {
  server.get('/admin/counts', () => countsOf(book))
  server.get('/admin/requests', () => counts.all())
  server.delete('/admin/requests', (_request, reply) => {
    counts.clear()
    return reply.code(204).send()
  })
}
