/** Delays before queries, as data. A caller adds up to 20 % at random, so that attempts of one second spread. */

const HOUR = 3_600
const DAY = 24 * HOUR

/**
 * The delays of all queries of an attempt, in seconds: the given ones, then each 1.5 times the one before up to an
 * hour, hourly until a day has passed, and daily for a week. After the last one, the attempt needs a person.
 */
export function querySchedule(first: readonly number[]): readonly number[] {
  const delays = [...first]
  const elapsed = () => delays.reduce((sum, delay) => sum + delay, 0)
  while (elapsed() < DAY) {
    delays.push(Math.min(HOUR, Math.round((delays.at(-1) ?? HOUR) * 1.5)))
  }
  return [...delays, ...Array<number>(7).fill(DAY)]
}

/** The delays before a request is repeated that was not sent for certain, in seconds. */
export const SEND_RETRY_SECONDS: readonly number[] = [1, 2, 5, 10, 20]

/** The delays of the queries of a failed attempt that may still succeed, from its end on, in seconds. */
export const AFTERCARE_SECONDS: readonly number[] = [600, HOUR, DAY]
