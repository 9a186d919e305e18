import { bootstrap } from '@malipo/kit/bootstrap'
import { AppModule } from './app.module.js'
import { readEnv } from './env.js'

await bootstrap(AppModule, readEnv)
