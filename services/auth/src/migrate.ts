import { migrate } from '@malipo/kit/migrate'
import { OWN } from './data-source.js'

await migrate('auth', OWN)
