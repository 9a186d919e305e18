import { Normalise } from './validation.js'

/** The start of an international phone number, and the offset at the end of an RFC 3339 time. */
const SPACE_FOR_PLUS = /^ (?=[1-9])| (?=\d\d:\d\d$)/

/**
 * Restores the plus sign of a phone number or a time in a query. A client that does not encode it as `%2B`
 * sends a space (application/x-www-form-urlencoded). Put it closest to the property, because decorators are
 * applied from the bottom up.
 */
export function RestorePlus(): PropertyDecorator {
  return Normalise((value) =>
    typeof value === 'string' ? value.replace(SPACE_FOR_PLUS, '+') : value,
  )
}
