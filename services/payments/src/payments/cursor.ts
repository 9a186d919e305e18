/** Where a page of a list ends: the id of its last row, in a form that invites no reading. */

const UUID = /^([\da-f]{8})([\da-f]{4})([\da-f]{4})([\da-f]{4})([\da-f]{12})$/

export function cursorAfter(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
}

/** The id that a cursor stands for; undefined for a text that is no cursor. */
export function idOfCursor(cursor: string): string | undefined {
  if (!/^[\w-]{22}$/.test(cursor)) return undefined
  const match = UUID.exec(Buffer.from(cursor, 'base64url').toString('hex'))
  return match?.slice(1).join('-')
}
