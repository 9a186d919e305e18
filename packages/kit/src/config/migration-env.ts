import { str } from 'envalid'
import { checkDatabase } from './database-settings.js'
import { readEnv } from './env.js'
import { databaseVariables, logLevel } from './variables.js'

/** Reads only the variables of migrations, which run before Redis and the other service exist. */
export function readMigrationEnv() {
  const variables = {
    ...databaseVariables,
    DB_SERVICE_ROLE: str({
      default: undefined,
      desc: 'Database role of the service, which migrations grant its privileges; none: the role that migrates',
    }),
    LOG_LEVEL: logLevel,
  }
  return readEnv(process.env, variables, checkDatabase)
}
