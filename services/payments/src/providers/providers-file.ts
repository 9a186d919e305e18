import { LineCounter, parseDocument } from 'yaml'
import { readAccount } from './account-fields.js'
import type { ProviderAccount, ProvidersFile } from './accounts.js'
import type { Adapter } from './adapter.js'
import { type Fault, type Parsed, readFields } from './fields.js'

/**
 * Parses PROVIDERS_FILE. It is YAML 1.2, in which `NO` is a string and not a boolean: a country, not an error.
 *
 * @param mode of the service
 * @param adapters those that an account may name
 * @returns every fault with its place, such as `accounts[0].limits.rate`
 */
export function parseProviders(
  text: string,
  mode: 'sandbox' | 'live',
  adapters: readonly Adapter[],
): Parsed<ProvidersFile> {
  const parsed = parseYaml(text)
  if ('faults' in parsed) return parsed
  const fields = readFields(parsed.value)
  const given = fields.any('accounts') ?? []
  if (!Array.isArray(given)) fields.fault('accounts', 'must be a list of accounts')
  const items: unknown[] = Array.isArray(given) ? given : []
  // The implicit account `manual` sends nothing and has no settings.
  const named = adapters.filter(({ initiate }) => initiate !== undefined)
  const results = items.map((item) => readAccount(item, mode, named))
  for (const [index, result] of results.entries()) {
    if ('faults' in result) fields.include(`accounts[${index}]`, result.faults)
  }
  const accounts = results.flatMap((result) => ('value' in result ? [result.value] : []))
  for (const fault of repeatedNames(items)) fields.fault(fault.at, fault.message)
  const defaultProvider =
    fields.optionalText('defaultProvider', /^[a-z][a-z\d-]{0,39}$/, DEFAULT_FORM) ?? 'manual'
  if (accounts.length === items.length && !isDefault(defaultProvider, accounts)) {
    fields.fault('defaultProvider', DEFAULT_FORM)
  }
  return fields.result({ defaultProvider, accounts })
}

const DEFAULT_FORM = 'must be manual, route, or the name of an active account'

function isDefault(name: string, accounts: readonly ProviderAccount[]): boolean {
  const isActive = (account: ProviderAccount) => account.state === 'active'
  return (
    ['manual', 'route'].includes(name) ||
    accounts.filter(isActive).some((each) => each.name === name)
  )
}

function repeatedNames(items: readonly unknown[]): Fault[] {
  const names = items.map((item) => (item as { name?: unknown } | null)?.name)
  return names.flatMap((name, index) =>
    name !== undefined && names.indexOf(name) < index
      ? [{ at: `accounts[${index}].name`, message: 'must not be that of another account' }]
      : [],
  )
}

/** Aliases may repeat a part of the file this many times; more could exhaust the memory. */
const MAX_ALIASES = 100

function parseYaml(text: string): Parsed<unknown> {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true })
  const problems = [...document.errors, ...document.warnings]
  if (problems.length > 0) {
    const faults = problems.map(({ message, pos: [start] }) => {
      const { line, col } = lineCounter.linePos(start)
      return { at: `line ${line}, column ${col}`, message: `must be YAML: ${message}` }
    })
    return { faults }
  }
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown }
  } catch {
    return { faults: [{ at: '', message: `must be YAML with at most ${MAX_ALIASES} aliases` }] }
  }
}

/** One line for a log or an error. */
export function faultText({ at, message }: Fault): string {
  return `${at || 'the file'} ${message}`
}
