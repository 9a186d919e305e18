import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Indexes by which metrics count webhook endpoints, and by which failing ones are found. It only expands. */
export class EndpointCounts1796083200005 implements MigrationInterface {
  name = 'EndpointCounts1796083200005'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX webhook_endpoints_state_idx ON webhook_endpoints (state, disabled_reason)
        WHERE state <> 'deleted'
    `)
    // failing_since changes once for each time that an endpoint fails, and not with every failed try.
    await runner.query(`
      CREATE INDEX webhook_endpoint_health_failing_idx ON webhook_endpoint_health (endpoint_id)
        WHERE failing_since IS NOT NULL
    `)
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}
