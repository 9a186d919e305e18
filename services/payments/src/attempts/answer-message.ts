import { databaseNow } from '@malipo/kit/postgres/clock'
import type { Message } from '../messages/message-insert.js'
import type { CallResult, QueryReading, SendReading } from '../providers/reading.js'

/** Headers of an answer that may matter to an auditor or to the provider's support. */
const EVIDENCE_HEADERS = ['content-type', 'date', 'x-request-id', 'x-reference-id', 'retry-after']

/** The answer to a call, as evidence; undefined without a complete answer. */
export function messageOfAnswer(
  kind: 'send' | 'query',
  account: string,
  reading: SendReading | QueryReading,
  result: CallResult,
): Message | undefined {
  if (result.phase !== 'answered') return undefined
  const headers = EVIDENCE_HEADERS.map((name) => [name, result.headers[name]] as const)
  return {
    kind,
    source: `provider:${account}`,
    verdict: 'response',
    headers: Object.fromEntries(headers.filter(([, value]) => value !== undefined)),
    httpStatus: result.status,
    bytes: result.body,
    reading,
    at: new Date(databaseNow()),
  }
}
