import { migrate } from '@malipo/kit/migrate'
import { OWN } from './data-source.js'
import { readAuthEnv } from './env.js'

await migrate('auth', readAuthEnv, OWN)
