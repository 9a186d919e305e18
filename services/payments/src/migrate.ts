import { migrate } from '@malipo/kit/migrate'
import { dataSource } from './data-source.js'
import { readEnv } from './env.js'

await migrate('payments', readEnv, dataSource)
