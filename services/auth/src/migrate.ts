import { migrate } from '@malipo/kit/postgres/migrate'
import { OWN } from './data-source.js'

await migrate('auth', OWN)
