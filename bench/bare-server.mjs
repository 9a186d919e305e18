/**
 * The bare server that both services are compared with: only `node:http` and `pg`. A create is one
 * prepared INSERT into the same table, a get one prepared SELECT, a validation verifies one signature and a
 * login is one bcrypt comparison. There is no authentication, validation, event, metric or log.
 */
import { createServer } from 'node:http'
import { compare, hash } from 'bcrypt'
import { JwtService } from '@nestjs/jwt'
import pg from 'pg'

const { DATABASE_URL, JWT_SECRET = '', BCRYPT_COST, PASSWORD = '' } = process.env
const CONNECTIONS = 20
const PATH = '/api/payments/PAY-'

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: CONNECTIONS })
const tokens = new JwtService({ secret: JWT_SECRET, verifyOptions: { algorithms: ['HS256'] } })
const passwordHash = await hash(PASSWORD, Number(BCRYPT_COST))

const INSERT = {
  name: 'insert',
  text: `
INSERT INTO payments
  (id, owner_id, amount_minor, currency, payment_method, customer_phone, customer_email,
   description, metadata, status, created_at, updated_at, version)
VALUES (uuidv7(), '019b76da-a800-7000-8000-0242ac120002', $1, $2, $3, $4, $5, $6, $7, 'INITIATED',
        now(), now(), 1)
RETURNING *`,
}

const SELECT = { name: 'select', text: 'SELECT * FROM payments WHERE id = $1' }

/** @type {Record<string, (request: import('node:http').IncomingMessage) => Promise<object>>} */
const routes = {
  'GET /health/live': async () => ({ status: 'ok' }),
  'POST /api/payments': async (request) => {
    const { amount, currency, paymentMethod, customerPhone, customerEmail, description, metadata } =
      await bodyOf(request)
    const values = [amount, currency, paymentMethod, customerPhone, customerEmail]
    const { rows } = await pool.query({ ...INSERT, values: [...values, description, metadata] })
    return { reference: `PAY-${rows[0].id}`, ...rows[0] }
  },
  'GET /api/auth/validate': async (request) => {
    const token = String(request.headers.authorization).slice('Bearer '.length)
    return { valid: true, payload: tokens.verify(token) }
  },
  'POST /api/auth/login': async (request) => {
    const { password } = await bodyOf(request)
    if (await compare(password, passwordHash)) return { ok: true }
    throw new Error('wrong password')
  },
}

/** @param {string} id */
async function get(id) {
  const { rows } = await pool.query({ ...SELECT, values: [id] })
  if (rows.length === 0) throw new Error('payment not found')
  return { reference: `PAY-${rows[0].id}`, ...rows[0] }
}

/** @param {import('node:http').IncomingMessage} request */
async function bodyOf(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return JSON.parse(text)
}

const server = createServer(async (request, response) => {
  const url = request.url ?? ''
  try {
    const answer = url.startsWith(PATH)
      ? await get(url.slice(PATH.length))
      : await routes[`${request.method} ${url}`](request)
    const body = JSON.stringify(answer)
    response.writeHead(request.method === 'POST' ? 201 : 200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    })
    response.end(body)
  } catch (error) {
    response.writeHead(500).end(String(error))
  }
})
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'))
