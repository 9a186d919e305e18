import { migrate } from '@malipo/kit/migrate'
import { dataSource } from './data-source.js'

await migrate('payments', dataSource)
