/** What is stored of an answer, in characters. */
export const MAX_ANSWER_LENGTH = 512

/**
 * The beginning of an answer's body as text that PostgreSQL can store: without U+0000 and lone surrogates, which become
 * U+FFFD, as do bytes that are not UTF-8. Empty if the body has a content coding, although the request accepts none.
 */
export function answerText(body: Uint8Array, contentCoding: string | undefined): string {
  const coding = contentCoding?.trim().toLowerCase() ?? ''
  if (coding !== '' && coding !== 'identity') return ''
  const text = new TextDecoder().decode(body).replaceAll('\0', '\uFFFD')
  // The cut may divide a surrogate pair.
  return text.slice(0, MAX_ANSWER_LENGTH).toWellFormed()
}
