import { migrate } from '@malipo/kit/postgres/migrate'
import { dataSource } from './data-source.js'

await migrate('auth', dataSource)
