import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataSourceOptions } from './pool-options.js'
import type { DatabaseEnv } from '../config/variables.js'

describe('the options of a data source', () => {
  it('has the authority’s certificate and the password read again for each connection', () => {
    const folder = mkdtempSync(join(tmpdir(), 'database-'))
    const [certificate, password] = [join(folder, 'ca.crt'), join(folder, 'password')]
    const write = (content: string) => {
      for (const file of [certificate, password]) writeFileSync(file, content)
    }
    write('the first')
    const env = { DB_SSL_CA_FILE: certificate, DB_PASSWORD_FILE: password } as DatabaseEnv
    const { extra } = dataSourceOptions(env, { entities: [], migrations: [] })

    write('renewed')
    expect([extra.ssl.ca, extra.password()]).toEqual(['renewed', 'renewed'])

    rmSync(folder, { recursive: true })
    expect(extra.ssl.ca).toBe('renewed')
  })
})
