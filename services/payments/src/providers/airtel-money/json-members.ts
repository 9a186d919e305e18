/**
 * The members of a JSON object as raw text. A signature over a part of a body is verified over the bytes that were
 * sent, and exactly these bytes are parsed: a parser that reads the whole body may choose another part of it, such as
 * the second of two members with one name.
 */
export interface Member {
  /** Without escapes. */
  readonly name: string
  /** The text of the value, without white space around it. */
  readonly raw: string
}

/**
 * The members of the object that a JSON text is, in order, with repetitions.
 *
 * @param text valid JSON; undefined is returned for anything but an object
 */
export function membersOf(text: string): Member[] | undefined {
  const members: Member[] = []
  let at = skipSpace(text, 0)
  if (text[at] !== '{') return undefined
  at = skipSpace(text, at + 1)
  while (at < text.length && text[at] !== '}') {
    const nameEnd = endOfString(text, at)
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const end = endOfValue(text, start)
    const name = JSON.parse(text.slice(at, nameEnd)) as string
    members.push({ name, raw: text.slice(start, end).trimEnd() })
    at = skipSpace(text, text[end] === ',' ? end + 1 : end)
  }
  return members
}

function skipSpace(text: string, start: number): number {
  let at = start
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at++
  return at
}

/** The index after the quote that ends the string at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return text.length
}

/** The index of the comma or brace after the value at `start`. */
function endOfValue(text: string, start: number): number {
  let depth = 0
  let at = start
  while (at < text.length) {
    const character = text[at]
    if (character === '"') {
      at = endOfString(text, at)
      continue
    }
    if (depth === 0 && (character === ',' || character === '}')) return at
    if (character === '{' || character === '[') depth++
    if (character === '}' || character === ']') depth--
    at++
  }
  return at
}
