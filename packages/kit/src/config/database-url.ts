import { EnvError, makeValidator } from 'envalid'
import { isReadable } from './env.js'
import { isHostOrFolder } from './ip-address.js'
import { parseUrl } from './url-parts.js'

/**
 * `require` verifies the server as `verify-full` does, although libpq's does not: an unverified connection can
 * be intercepted. `verify-ca` does not compare the certificate with the host's name.
 */
const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const
type SslMode = (typeof SSL_MODES)[number]

/** The parts of `DATABASE_URL`; a part that the URL does not have is undefined. */
export interface DatabaseUrl {
  /** A host name, an address or, with a leading slash, the folder of a socket. */
  readonly host: string | undefined
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly name: string | undefined
  readonly sslMode: SslMode | undefined
  /** The path of CA certificates, or `system` for those of Node. */
  readonly sslRootCert: string | undefined
  readonly applicationName: string | undefined
  readonly options: string | undefined
}

/** The parameters of libpq that the services understand. */
const PARAMETERS = ['sslmode', 'sslrootcert', 'application_name', 'options', 'host']

export const databaseUrl = makeValidator<DatabaseUrl>((input) => {
  const url = parseUrl(input, ['postgres', 'postgresql'])
  const parameters = parametersOf(url.parameters)
  if (url.path?.includes('/')) throw new EnvError('must have one database name as its path')
  const host = url.host ?? parameters.host
  if (url.host && parameters.host) throw new EnvError('must name one host')
  if (host !== undefined && !isHostOrFolder(host)) {
    throw new EnvError('must name one host, as a name or an address')
  }
  if (url.port === 0) throw new EnvError('must have a port from 1 to 65535')
  const sslMode = parameters.sslmode
  if (sslMode !== undefined && !isSslMode(sslMode)) {
    throw new EnvError(`must have an sslmode of ${SSL_MODES.join(', ')}`)
  }
  const { sslrootcert } = parameters
  if (sslrootcert && sslrootcert !== 'system' && !isReadable(sslrootcert)) {
    throw new EnvError('must name a file that can be read as its sslrootcert, or system')
  }
  return {
    host,
    port: url.port,
    username: url.username,
    password: url.password,
    name: url.path,
    sslMode,
    sslRootCert: sslrootcert,
    applicationName: parameters.application_name,
    options: parameters.options,
  }
})

type Parameters = Partial<
  Record<'sslmode' | 'sslrootcert' | 'application_name' | 'options' | 'host', string>
>

/** An unknown parameter may be a part of a password that is not percent-encoded, so no message names it. */
function parametersOf(parameters: URLSearchParams): Parameters {
  const names = [...parameters.keys()]
  const isKnown = names.every((name) => PARAMETERS.includes(name) && parameters.get(name))
  if (isKnown && new Set(names).size === names.length) return Object.fromEntries(parameters)
  throw new EnvError(
    `must have no other parameters than ${PARAMETERS.join(', ')}, each once and with a value`,
  )
}

function isSslMode(mode: string): mode is SslMode {
  return (SSL_MODES as readonly string[]).includes(mode)
}
