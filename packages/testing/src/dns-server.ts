import { createSocket } from 'node:dgram'
import { once } from 'node:events'

export type RecordType = 'A' | 'AAAA'

/** The addresses of a name; undefined if the name does not exist, and `silence` for no answer. */
export type Answers = (name: string, type: RecordType) => readonly string[] | 'silence' | undefined

export interface DnsServer {
  /** `address:port`, as `Resolver.setServers` takes it. */
  readonly address: string
  /** The names of the queries, in order, each with its type. */
  readonly queries: readonly (readonly [name: string, type: RecordType])[]
  close(): void
}

const TYPES: Readonly<Record<number, RecordType>> = { 1: 'A', 28: 'AAAA' }
const HEAD_BYTES = 12
const NAME_ERROR = 3

/** Starts a DNS server over UDP, whose answers have a lifetime of 0 s. */
export async function startDnsServer(answers: Answers): Promise<DnsServer> {
  const queries: [string, RecordType][] = []
  const socket = createSocket('udp4')
  socket.on('message', (message, { port, address }) => {
    const { name, end } = questionOf(message)
    const type = TYPES[message.readUInt16BE(end)]
    if (type) queries.push([name, type])
    const found = type ? answers(name, type) : []
    if (found !== 'silence')
      socket.send(answerOf(message.subarray(0, end + 4), found), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  return { address: `127.0.0.1:${port}`, queries, close: () => void socket.close() }
}

/** The name of the first question, and where it ends (RFC 1035, section 4.1.2). */
function questionOf(message: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = HEAD_BYTES
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

/** @param query the head and the question */
function answerOf(query: Buffer, addresses: readonly string[] | undefined): Buffer {
  const head = Buffer.from(query)
  head.writeUInt16BE(0x8180 | (addresses ? 0 : NAME_ERROR), 2)
  head.writeUInt16BE(addresses?.length ?? 0, 6)
  head.writeUInt32BE(0, 8)
  const records = (addresses ?? []).map((address) => {
    const data = address.includes(':')
      ? bytesOfIpv6(address)
      : Buffer.from(address.split('.').map(Number))
    const record = Buffer.alloc(12)
    // A pointer to the name in the question, then type, class, lifetime and length.
    record.writeUInt16BE(0xc000 | HEAD_BYTES, 0)
    record.writeUInt16BE(data.length === 4 ? 1 : 28, 2)
    record.writeUInt16BE(1, 4)
    record.writeUInt16BE(data.length, 10)
    return Buffer.concat([record, data])
  })
  return Buffer.concat([head, ...records])
}

function bytesOfIpv6(address: string): Buffer {
  const [left = '', right = ''] = address.split('::')
  const groups = (part: string) => part.split(':').filter(Boolean)
  const zeros = 8 - groups(left).length - groups(right).length
  const all = [...groups(left), ...Array.from({ length: zeros }, () => '0'), ...groups(right)]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}
