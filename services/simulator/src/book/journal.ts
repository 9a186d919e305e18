import { closeSync, ftruncateSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import type { BookRecord } from './records.js'

/** Something that is made of the journal's records, and nothing else. */
export interface Part {
  apply(record: BookRecord): void
  /** Records from which `apply` makes the current content. */
  records(): Iterable<BookRecord>
}

/** A line of the file is not a record. */
export class JournalError extends Error {
  override readonly name = 'JournalError'
}

/**
 * A file of JSON Lines. A record is in the file before any part has it, so an answer that depends on it survives
 * SIGKILL. The file is not synchronised to the disk: a crash of the machine may lose the last records.
 */
export class Journal {
  private size = 0
  private lines = 0
  private file: number

  /** Applies the records of the file, then removes those that no part needs any more. */
  constructor(
    private readonly path: string,
    private readonly parts: readonly Part[],
    /** The file is rewritten after this many new lines. */
    private readonly maxNewLines: number,
  ) {
    for (const record of readRecords(path)) this.apply(record)
    this.file = this.compact()
  }

  /** @throws if the file cannot be written, and then no part has the record */
  append(record: BookRecord): void {
    const bytes = Buffer.from(`${JSON.stringify(record)}\n`)
    try {
      for (let sent = 0; sent < bytes.length;) sent += writeSync(this.file, bytes, sent)
    } catch (error) {
      // On a full disk, the beginning of a line may have been written.
      ftruncateSync(this.file, this.size)
      throw error
    }
    this.size += bytes.length
    this.apply(record)
    if (++this.lines > this.maxNewLines) this.replace()
  }

  close(): void {
    closeSync(this.file)
  }

  private apply(record: BookRecord) {
    for (const part of this.parts) part.apply(record)
  }

  private replace() {
    const { file } = this
    this.lines = 0
    try {
      this.file = this.compact()
      closeSync(file)
    } catch {
      // On a full disk, the old file stays. The record is in it, so its caller gets no error.
    }
  }

  /** Replaces the file by the records of the parts, and opens it. */
  private compact(): number {
    const temporary = `${this.path}.new`
    const file = openSync(temporary, 'w', 0o600)
    let size = 0
    try {
      for (const part of this.parts) {
        for (const record of part.records()) {
          size += writeSync(file, `${JSON.stringify(record)}\n`)
        }
      }
      renameSync(temporary, this.path)
    } finally {
      closeSync(file)
    }
    this.size = size
    return openSync(this.path, 'a')
  }
}

/** @throws JournalError if a line is damaged, except for the last one, at which a process may have been killed */
function readRecords(path: string): BookRecord[] {
  const lines = readText(path).split('\n')
  // What follows the last line break was not written completely, and so not answered.
  lines.pop()
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as BookRecord
    } catch (error) {
      throw new JournalError(`${path}: line ${index + 1} is not JSON`, { cause: error })
    }
  })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
