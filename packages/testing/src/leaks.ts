/**
 * Searches the output of a service (logs, traces) for secrets. A printed finding must not leak the secret
 * itself, so it consists of the secret's kind and the surrounding text with the value masked.
 */

/** Secret values by kind: `password`, `phone` and so on. */
export type Secrets = Readonly<Record<string, readonly string[]>>

/** The minimum length of a secret value; a shorter one would match by chance. */
const MIN_CHARACTERS = 7
const CONTEXT_CHARACTERS = 60

/** The occurrences of secrets in the output, in all encodings of `formsOf`; empty if there are none. */
export function leaks(text: string, secrets: Secrets): string[] {
  return Object.entries(secrets).flatMap(([kind, values]) =>
    [...new Set(values)].flatMap((value) => {
      if (value.length < MIN_CHARACTERS) throw new Error(`the ${kind} is too short to search for`)
      return formsOf(value).flatMap((form) => {
        const at = text.indexOf(form)
        if (at < 0) return []
        const context = text.slice(
          Math.max(0, at - CONTEXT_CHARACTERS),
          at + form.length + CONTEXT_CHARACTERS,
        )
        return [`${kind}: ${context.replaceAll(form, '█').replaceAll('\n', ' ')}`]
      })
    }),
  )
}

/**
 * The encodings of a value: plain, URL-encoded, JSON, nested JSON and Base64. A phone number is also
 * searched for without `+` and in national form.
 */
function formsOf(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1)
  const nested = JSON.stringify(json).slice(1, -1)
  const base64 = Buffer.from(value).toString('base64').replace(/=+$/, '')
  const phone = /^\+(\d{3})(\d{8,12})$/.exec(value)
  const phones = phone ? [`${phone[1]}${phone[2]}`, `0${phone[2]}`] : []
  // Base64 depends on the preceding bytes, so this finds a value only at the start, as in a header.
  return [...new Set([value, encodeURIComponent(value), json, nested, base64, ...phones])]
}
