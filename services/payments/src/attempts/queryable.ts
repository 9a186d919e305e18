import type { Adapter } from '../providers/adapter.js'

/** Whether the provider can be asked for a charge: by our reference, or by its own once it has stated one. */
export function isQueryable(
  { query, capabilities }: Pick<Adapter, 'query' | 'capabilities'>,
  providerReference: string | null | undefined,
): boolean {
  const isReferenceKnown = capabilities.reference === 'ours' || Boolean(providerReference)
  return query !== undefined && isReferenceKnown
}
