import type { Env } from '../env.js'

/**
 * Why a URL can't be the one of an endpoint: the rest of a sentence that begins with the name of the field. Undefined if
 * it can be.
 */
export type EndpointUrlRule = (url: string) => string | undefined

/** The injection token of the `EndpointUrlRule`. */
export const ENDPOINT_URL_RULE = Symbol('the rule for URLs of endpoints')

/** In `sandbox`, also `http`. */
export function endpointUrlRule({ MODE }: Pick<Env, 'MODE'>): EndpointUrlRule {
  const schemes = MODE === 'live' ? ['https://'] : ['https://', 'http://']
  return (text) => {
    const url = URL.parse(text)
    if (!url || !schemes.some((scheme) => text.toLowerCase().startsWith(scheme))) {
      return `must begin with ${schemes.join(' or ')} and a host`
    }
    if (url.username !== '' || url.password !== '') return 'must have no user or password'
    return text.includes('#') ? 'must have no fragment' : undefined
  }
}
