import { Problem } from '@malipo/kit/http/problem'
import { PROBLEMS } from '../problems.js'

/** The challenges of RFC 6750, section 3: a request without a token is told of no error. */

export function tokenMissing(): Problem {
  return new Problem(PROBLEMS.tokenMissing, 'Send Authorization: Bearer with an access token.', {
    headers: { 'www-authenticate': 'Bearer' },
  })
}

export function tokenNotValid(): Problem {
  return new Problem(
    PROBLEMS.tokenNotValid,
    'It is over, was ended or is not ours. Log in again.',
    {
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    },
  )
}
