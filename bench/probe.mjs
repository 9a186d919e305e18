/**
 * Asks for one path over and over while a server is under load, by one connection that takes its time
 * between two requests: what a probe of Kubernetes would see, a hundred times as often.
 */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const EVERY_MS = 10

/**
 * @param {string} url
 * @returns {{ stop: () => Promise<number[]> }} the times of all answers, in milliseconds
 */
export function probe(url) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  /** @type {number[]} */
  const times = []
  const state = { over: false }
  const asking = (async () => {
    while (!state.over) {
      times.push(await timed(url, agent))
      await sleep(EVERY_MS)
    }
    agent.destroy()
  })()
  return {
    stop: async () => {
      state.over = true
      await asking
      return times
    },
  }
}

/**
 * @param {string} url
 * @param {Agent} agent
 * @returns {Promise<number>}
 */
function timed(url, agent) {
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, timeout: 10_000 }, (answer) => {
      answer.resume().on('end', () => {
        if (answer.statusCode === 200) resolve(performance.now() - begun)
        else reject(new Error(`${url} answered ${answer.statusCode}`))
      })
    })
    asked.on('error', reject).on('timeout', () => asked.destroy(new Error(`${url} is silent`)))
    asked.end()
  })
}

/** @param {number[]} times @param {number} share */
export function quantile(times, share) {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
