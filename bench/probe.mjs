/**
 * Requests one path repeatedly while a server is under load, over one connection with a pause between two
 * requests: like a probe of Kubernetes, a hundred times as often.
 */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const EVERY_MS = 10

/**
 * @param {string} url
 * @param {Record<string, string>} [headers]
 * @returns {{ stop: () => Promise<number[]> }} the times of all responses, in milliseconds
 */
export function probe(url, headers = {}) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  /** @type {number[]} */
  const times = []
  const state = { isStopped: false }
  const probing = (async () => {
    while (!state.isStopped) {
      times.push(await timed(url, headers, agent))
      await sleep(EVERY_MS)
    }
    agent.destroy()
  })()
  return {
    stop: async () => {
      state.isStopped = true
      await probing
      return times
    },
  }
}

/**
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {Agent} agent
 * @returns {Promise<number>}
 */
function timed(url, headers, agent) {
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers, timeout: 10_000 }, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - begun)
        else reject(new Error(`${url} answered ${response.statusCode}`))
      })
    })
    sent.on('error', reject).on('timeout', () => sent.destroy(new Error(`${url} timed out`)))
    sent.end()
  })
}

/** @param {number[]} times @param {number} share */
export function quantile(times, share) {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
