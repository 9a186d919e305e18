import { generateKeyPairSync } from 'node:crypto'
import type { Journal, Part } from '../book/journal.js'
import type { BookRecord } from '../book/records.js'
import { KEY_BITS } from './message-signature.js'

/** The key pair of each account that signs messages; it survives a restart, since clients cache the public key. */
export class MessageKeys implements Part {
  private readonly keys = new Map<string, string>()

  /** The private key of a configured account; PKCS #8 in PEM. */
  of(account: string, journal: Journal): string {
    const existing = this.keys.get(account)
    if (existing) return existing
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: KEY_BITS,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    journal.append({ kind: 'message-key', account, privateKey })
    return privateKey
  }

  apply(record: BookRecord): void {
    if (record.kind === 'message-key') this.keys.set(record.account, record.privateKey)
  }

  *records(): Generator<BookRecord> {
    for (const [account, privateKey] of this.keys)
      yield { kind: 'message-key', account, privateKey }
  }
}
