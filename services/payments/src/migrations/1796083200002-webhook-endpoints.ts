import type { MigrationInterface, QueryRunner } from 'typeorm'

/** What the API of webhook endpoints needs besides their tables. It only expands. */
export class WebhookEndpoints1796083200002 implements MigrationInterface {
  name = 'WebhookEndpoints1796083200002'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [COLUMNS, COUNT, SECRETS_OF_DELETED]) await runner.query(statement)
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

const COLUMNS = `
-- Of the last change by the API.
ALTER TABLE webhook_endpoints ADD COLUMN operation_id uuid;

-- Of v1a, in base64.
ALTER TABLE webhook_endpoint_secrets
  ADD COLUMN public_key text,
  ADD CONSTRAINT webhook_endpoint_secrets_public_key_check
    CHECK ((scheme = 'v1a') = (public_key IS NOT NULL));
`

/*
 * The lock lasts until the transaction ends, so that of concurrent inserts for an owner each one counts those before.
 * The statement that calls the function has an older snapshot than the lock; the function takes a new one.
 */
const COUNT = `
CREATE FUNCTION webhook_endpoints_of(owner uuid) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('webhook endpoints of ' || owner, 0));
  RETURN (
    SELECT count(*) FROM webhook_endpoints WHERE owner_id = owner AND state <> 'deleted'
  );
END $$;
`

/* A trigger, because a statement does not see the secret of a rotation that it has waited for. */
const SECRETS_OF_DELETED = `
CREATE FUNCTION delete_secrets_of_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM webhook_endpoint_secrets WHERE endpoint_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER webhook_endpoints_delete_secrets AFTER UPDATE ON webhook_endpoints
  FOR EACH ROW WHEN (NEW.state = 'deleted')
  EXECUTE FUNCTION delete_secrets_of_endpoint();
`
