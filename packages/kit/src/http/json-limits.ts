/** Parsers, validators and PostgreSQL's jsonb recurse into a body: deep nesting could overflow the stack. */
export const MAX_DEPTH = 8

/** Each rule costs CPU time for each field, and an error of each field makes the response longer. */
export const MAX_FIELDS = 200

/**
 * The reason to reject a JSON text before it is parsed: too deep nesting, or too many fields. Elements of lists
 * count as fields, and an empty object or list counts twice. Undefined if the text is within the limits,
 * or if it is not JSON.
 */
export function limitFaultOf(json: string): string | undefined {
  let depth = 0
  let fields = 0
  for (let i = 0; i < json.length; i++) {
    const character = json[i]
    if (character === '"') i = endOfString(json, i)
    else if (character === ',') fields++
    else if (character === '}' || character === ']') depth--
    else if (character === '{' || character === '[') {
      fields++
      if (++depth > MAX_DEPTH) return `The body is nested more than ${MAX_DEPTH} levels deep.`
    }
    if (fields > MAX_FIELDS) return `The body has more than ${MAX_FIELDS} fields and list elements.`
  }
  return undefined
}

/** The index of the quote that ends the string which starts at `start`, or the length of the text. */
function endOfString(json: string, start: number): number {
  for (let i = start + 1; i < json.length; i++) {
    if (json[i] === '\\') i++
    else if (json[i] === '"') return i
  }
  return json.length
}
