import type { Page } from './page.ts'
import { graph, numbers, rate, RELEASE } from './panels.ts'

/** The processes: what they use, and whether they keep up. */

const pods = `${RELEASE},component="service"`
const each = '{{app}} {{pod}}'

export const nodeRuntime: Page = {
  uid: 'malipo-node-runtime',
  title: 'Node runtime',
  description: 'What the processes use, and whether they keep up with their work.',
  rows: {
    Processes: [
      graph({
        title: 'CPU',
        unit: 'percentunit',
        description: 'Of a core; a process can use one, so near 1 it needs a pod more beside it.',
        queries: { [each]: rate('process_cpu_seconds_total', pods, 'app, pod') },
      }),
      graph({
        title: 'Memory',
        unit: 'bytes',
        description: 'Resident. A pod is ended at its limit, 256 MiB unless set otherwise.',
        queries: { [each]: `process_resident_memory_bytes{${pods}}` },
      }),
      graph({
        title: 'Heap in use',
        unit: 'bytes',
        description: 'Objects of JavaScript. What grows for days is a leak.',
        queries: { [each]: `nodejs_heap_size_used_bytes{${pods}}` },
      }),
      graph({
        title: 'Event loop is behind, 99 of 100',
        unit: 's',
        description: 'How long work waits before it begins: part of the time of every answer.',
        queries: { [each]: `nodejs_eventloop_lag_p99_seconds{${pods}}` },
      }),
      graph({
        title: 'Garbage collection',
        unit: 'percentunit',
        description: 'Part of the time that goes into it, by kind.',
        queries: { '{{app}} {{kind}}': rate('nodejs_gc_duration_seconds_sum', pods, 'app, kind') },
      }),
      graph({
        title: 'Open files and connections',
        unit: 'short',
        description: 'What grows without an end is not closed.',
        queries: { [each]: `process_open_fds{${pods}}` },
      }),
      numbers({
        title: 'Runs since',
        unit: 'dtdurations',
        description: 'Time since the process started.',
        queries: { [each]: `time() - process_start_time_seconds{${pods}}` },
        span: 24,
      }),
    ],
  },
}
