// charts/payments/files/queries.yaml: what the exporter of payments' database tells, from the service's own
// queries, so that a figure is the same whoever tells it.
import { stringify } from 'yaml'
import { QUERIES } from '../services/payments/dist/totals/figures.store.js'
import { HELP } from '../services/payments/dist/totals/totals-metrics.js'

/** The columns of each query: labels, then values with their type. */
const COLUMNS = {
  payments_entered: [
    ['status', 'method', 'currency'],
    { total: 'COUNTER', amount_minor_total: 'COUNTER' },
  ],
  payments: [['status', 'age'], { open: 'GAUGE' }],
  payments_open_oldest: [['status'], { seconds: 'GAUGE' }],
  payment_totals: [[], { lag_seconds: 'GAUGE' }],
}

const HEADER = `# Made by npm run docs from services/payments/src/totals: asked on the primary alone, so that each figure is told
# once. The exporter puts cnpg_ before the name of a query and of its column; the PodMonitor takes it away again.
`

export function queries() {
  const entries = Object.entries(QUERIES).map(([name, sql]) => {
    const [labels, values] = COLUMNS[name]
    const metrics = [
      ...labels.map((label) => ({ [label]: { usage: 'LABEL', description: label } })),
      ...Object.entries(values).map(([column, usage]) => ({
        [column]: { usage, description: HELP[`${name}_${column}`] },
      })),
    ]
    const query = `${sql.trim()}\n`
    return [name, { primary: true, target_databases: ['payments'], query, metrics }]
  })
  return HEADER + stringify(Object.fromEntries(entries), { lineWidth: 0 })
}
