import { bootstrap } from '@malipo/kit/bootstrap'
import { AppModule } from './app.module.js'
import { readAuthEnv } from './env.js'

await bootstrap(AppModule, readAuthEnv)
