import { JwtSecretRequestType, JwtService, type JwtSignOptions } from '@nestjs/jwt'
import { KeySetError } from './key-set.js'
import { SigningKeys } from './signing-keys.js'

/**
 * The JwtService with the keys of this replica, selected by `kid`. Each key determines its algorithm, and a
 * token whose header names another one is rejected. So neither `none` nor a public key used as an HMAC secret
 * is accepted.
 */
export const JWT_PROVIDER = {
  provide: JwtService,
  inject: [SigningKeys],
  useFactory: (keys: SigningKeys) =>
    new JwtService({
      verifyOptions: { algorithms: ['ES256', 'HS256'] },
      secretOrKeyProvider: (type, tokenOrPayload, options) => {
        if (type === JwtSecretRequestType.SIGN) {
          return keys.byId((options as JwtSignOptions).keyid).signing
        }
        const key = typeof tokenOrPayload === 'string' ? keys.verifying(tokenOrPayload) : undefined
        if (!key) throw new KeySetError('no key has the kid and the algorithm of the token')
        return key.verifying
      },
    }),
}
