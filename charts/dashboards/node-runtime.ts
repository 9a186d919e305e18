import type { DashboardSpec } from './dashboard.ts'
import { timeSeries, stat, quantile, rate, RELEASE } from './panels.ts'

/** Resource usage and saturation of the Node.js processes. */

const pods = `${RELEASE},component="service"`
const each = '{{app}} {{pod}}'

export const nodeRuntime: DashboardSpec = {
  uid: 'malipo-node-runtime',
  title: 'Node.js runtime',
  description: 'Resource usage and saturation of the Node.js processes.',
  rows: {
    Processes: [
      timeSeries({
        title: 'CPU',
        unit: 'percentunit',
        description: 'In cores. A process uses about one core at most; near 1, add replicas.',
        queries: { [each]: rate('process_cpu_seconds_total', pods, 'app, pod') },
      }),
      timeSeries({
        title: 'Memory',
        unit: 'bytes',
        description: 'Resident set size. A container is killed at its limit, by default 256 MiB.',
        queries: { [each]: `process_resident_memory_bytes{${pods}}` },
      }),
      timeSeries({
        title: 'Used heap',
        unit: 'bytes',
        description: 'JavaScript objects. Growth over days indicates a leak.',
        queries: { [each]: `nodejs_heap_size_used_bytes{${pods}}` },
      }),
      timeSeries({
        title: 'Event loop lag, p99',
        unit: 's',
        description: 'Delay before a ready callback runs; part of every response time.',
        queries: { [each]: `nodejs_eventloop_lag_p99_seconds{${pods}}` },
      }),
      timeSeries({
        title: 'Garbage collection',
        unit: 'percentunit',
        description: 'Fraction of time spent in garbage collection, by kind.',
        queries: { '{{app}} {{kind}}': rate('nodejs_gc_duration_seconds_sum', pods, 'app, kind') },
      }),
      timeSeries({
        title: 'Open file descriptors',
        unit: 'short',
        description: 'Files and connections. Unbounded growth indicates a leak.',
        queries: { [each]: `process_open_fds{${pods}}` },
      }),
      stat({
        title: 'Uptime',
        unit: 'dtdurations',
        description: 'Time since the process started.',
        queries: { [each]: `time() - process_start_time_seconds{${pods}}` },
        span: 24,
      }),
    ],
    'Background workers': [
      timeSeries({
        title: 'Runs by outcome',
        unit: 'cps',
        description: 'Runs per second. Repeated failures have a line in the log.',
        queries: {
          '{{app}} {{worker}} {{outcome}}': rate('worker_runs_total', pods, 'app, worker, outcome'),
        },
      }),
      timeSeries({
        title: 'Duration of a run, p99',
        unit: 's',
        description: 'By worker, of all replicas.',
        queries: {
          '{{app}} {{worker}}': quantile(0.99, 'worker_run_duration_seconds', pods, 'app, worker'),
        },
      }),
    ],
  },
}
