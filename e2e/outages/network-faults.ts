import type { Cell } from './cell.ts'
import { type Link, type LinkName, LINKS } from './link.ts'
import type { Toxic } from './toxiproxy.ts'

/** Every network fault on every link of replica A. */

interface NetworkFault {
  readonly name: string
  readonly begin: (link: Link) => unknown
  readonly cell?: Partial<Cell>
  /** The links on which no request may fail. */
  readonly servedOn?: readonly LinkName[]
  /** The links of the short matrix. */
  readonly shortOn?: readonly LinkName[]
}

const REDIS_LINKS = ['payments→Redis', 'auth→Redis'] as const
const CUT_AFTER_BYTES = [10, 100, 1_000, 3_000, 8_000]
/** The default of the services. */
const DEFAULT_WAIT_MS = 12_000

const both = (type: Toxic['type'], attributes: Toxic['attributes']): Toxic[] => [
  { type, stream: 'upstream', attributes },
  { type, stream: 'downstream', attributes },
]
const upstream = (type: Toxic['type'], attributes: Toxic['attributes']): Toxic => ({
  type,
  stream: 'upstream',
  attributes,
})
const downstream = (type: Toxic['type'], attributes: Toxic['attributes']): Toxic => ({
  type,
  stream: 'downstream',
  attributes,
})

const FAULTS: readonly NetworkFault[] = [
  { name: 'black hole up', begin: (link) => link.poison(upstream('timeout', { timeout: 0 })) },
  { name: 'black hole down', begin: (link) => link.poison(downstream('timeout', { timeout: 0 })) },
  {
    name: 'black hole',
    begin: (link) => link.poison(...both('timeout', { timeout: 0 })),
    shortOn: LINKS,
  },
  {
    name: 'black hole, default DB_WAIT_MS',
    begin: (link) => link.poison(...both('timeout', { timeout: 0 })),
    cell: { waitMs: DEFAULT_WAIT_MS },
  },
  {
    name: 'latency 0.2 s',
    begin: (link) => link.poison(downstream('latency', { latency: 200 })),
    servedOn: LINKS,
  },
  {
    name: 'latency 1 s',
    begin: (link) => link.poison(downstream('latency', { latency: 1_000 })),
    servedOn: REDIS_LINKS,
    shortOn: ['auth→Redis'],
  },
  { name: 'latency 5 s', begin: (link) => link.poison(downstream('latency', { latency: 5_000 })) },
  { name: '1 kB/s', begin: (link) => link.poison(...both('bandwidth', { rate: 1 })) },
  {
    name: 'slicer',
    begin: (link) =>
      link.poison(...both('slicer', { average_size: 16, size_variation: 8, delay: 100 })),
    servedOn: LINKS,
  },
  { name: 'reset', begin: (link) => link.poison(downstream('reset_peer', { timeout: 0 })) },
  {
    name: 'reset after 500 ms',
    begin: (link) => link.poison(downstream('reset_peer', { timeout: 500 })),
  },
  ...CUT_AFTER_BYTES.map((bytes) => ({
    name: `cut after ${bytes} bytes`,
    begin: (link: Link) => link.poison(downstream('limit_data', { bytes })),
  })),
  { name: 'refused', begin: (link) => link.refuse() },
  { name: 'flapping', begin: (link) => link.flap(), cell: { outages: 6 } },
  {
    name: 'silent loss',
    begin: (link) => link.loseSilently(),
    shortOn: ['payments→Redis'],
  },
]

export const NETWORK_CELLS: readonly Cell[] = LINKS.flatMap((name) =>
  FAULTS.map(({ name: fault, begin, cell, servedOn = [], shortOn = [] }) => ({
    name: `${name}: ${fault}`,
    inject: (platform) => begin(platform.link(name)),
    repair: (platform) => platform.link(name).repair(),
    onlyA: true,
    served: servedOn.includes(name),
    short: shortOn.includes(name),
    ...cell,
  })),
)
