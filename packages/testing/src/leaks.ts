/**
 * Looks for what must never leave the services, in a text that did: logs, traces. A suite that prints what
 * it found would itself be a leak, so a find is told by what it is of and where, with the value blotted out.
 */

/** What nobody may read, by what it is: `password`, `phone` and so on. */
export type Secrets = Readonly<Record<string, readonly string[]>>

/** Shorter than this, a value is found anywhere by chance. */
const LEAST_CHARACTERS = 7
const AROUND = 60

/** Where secrets stand in a text, in any form in which they may have got there; empty when all is well. */
export function leaks(text: string, secrets: Secrets): string[] {
  return Object.entries(secrets).flatMap(([what, values]) =>
    [...new Set(values)].flatMap((value) => {
      if (value.length < LEAST_CHARACTERS) throw new Error(`a ${what} too short to look for`)
      return formsOf(value).flatMap((form) => {
        const at = text.indexOf(form)
        if (at < 0) return []
        const around = text.slice(Math.max(0, at - AROUND), at + form.length + AROUND)
        return [`${what}: ${around.replaceAll(form, '█').replaceAll('\n', ' ')}`]
      })
    }),
  )
}

/** As it is, in an address, in JSON inside of JSON, in Base64; a phone also without its plus and nationally. */
function formsOf(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1)
  const nested = JSON.stringify(json).slice(1, -1)
  const base64 = Buffer.from(value).toString('base64').replace(/=+$/, '')
  const phone = /^\+(\d{3})(\d{8,12})$/.exec(value)
  const phones = phone ? [`${phone[1]}${phone[2]}`, `0${phone[2]}`] : []
  // Base64 depends on what stands before: this finds it at the start alone, as in a header.
  return [...new Set([value, encodeURIComponent(value), json, nested, base64, ...phones])]
}
