import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Creates the tables of what operators propose and do. */
export class Operators1795996800002 implements MigrationInterface {
  name = 'Operators1795996800002'

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [PROPOSALS, ACTIONS, TRIGGERS]) await runner.query(statement)
  }

  async down(): Promise<void> {
    throw new Error('Migrations only go forward: restore a backup instead.')
  }
}

const PROPOSALS = `
-- How an operator proposes to resolve an attempt. Another operator confirms it.
CREATE TABLE attempt_proposals (
  id                      uuid           CONSTRAINT attempt_proposals_pkey PRIMARY KEY,
  attempt_id              uuid           NOT NULL
    CONSTRAINT attempt_proposals_attempt_id_fkey REFERENCES payment_attempts,
  -- The proposal is void for any other version of the attempt.
  attempt_version         integer        NOT NULL,
  proposed_by             uuid           NOT NULL,
  -- Null if only the attention is cleared.
  outcome                 text
    CONSTRAINT attempt_proposals_outcome_check
    CHECK (outcome IN ('succeeded', 'declined', 'not_sent')),
  transaction_id          text,
  failure                 text,
  reason                  text           NOT NULL,
  evidence                text,
  created_at              timestamptz(3) NOT NULL,
  expires_at              timestamptz(3) NOT NULL,
  ended_as                text
    CONSTRAINT attempt_proposals_ended_as_check CHECK (ended_as IN ('confirmed', 'cancelled')),
  ended_by                uuid,
  ended_at                timestamptz(3),
  CONSTRAINT attempt_proposals_ended_check
    CHECK (num_nulls(ended_as, ended_by, ended_at) IN (0, 3)),
  -- An operator cancels their own proposals, and confirms those of others.
  CONSTRAINT attempt_proposals_ended_by_check
    CHECK ((ended_as = 'confirmed') = (ended_by <> proposed_by))
);
CREATE INDEX attempt_proposals_attempt_id_idx ON attempt_proposals (attempt_id, id);
`

const ACTIONS = `
-- What operators did: one row for each action, without personal data of payers.
CREATE TABLE operator_actions (
  id                      uuid           CONSTRAINT operator_actions_pkey PRIMARY KEY,
  at                      timestamptz(3) NOT NULL,
  -- The id of the user.
  operator                uuid           NOT NULL,
  action                  text           NOT NULL
    CONSTRAINT operator_actions_action_check CHECK (action IN
      ('resolve', 'attention_clear', 'resolve_propose', 'resolve_confirm', 'resolve_cancel', 'query',
       'replay', 'read_body', 'list_payments')),
  attempt_id              uuid
    CONSTRAINT operator_actions_attempt_id_fkey REFERENCES payment_attempts,
  payment_id              uuid
    CONSTRAINT operator_actions_payment_id_fkey REFERENCES payments,
  -- A row of provider_messages.
  message_id              uuid,
  proposal_id             uuid
    CONSTRAINT operator_actions_proposal_id_fkey REFERENCES attempt_proposals,
  reason                  text,
  evidence                text,
  details                 jsonb          NOT NULL
);
CREATE INDEX operator_actions_operator_idx ON operator_actions (operator, id);
CREATE INDEX operator_actions_attempt_id_idx ON operator_actions (attempt_id, id)
  WHERE attempt_id IS NOT NULL;
`

const TRIGGERS = `
CREATE TRIGGER operator_actions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_actions
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();
CREATE TRIGGER attempt_proposals_no_delete BEFORE DELETE OR TRUNCATE ON attempt_proposals
  FOR EACH STATEMENT EXECUTE FUNCTION reject_statement();

-- A proposal ends once. The comparison includes columns that are added later.
CREATE FUNCTION reject_change_of_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  proposed attempt_proposals := NEW;
BEGIN
  proposed.ended_as := OLD.ended_as;
  proposed.ended_by := OLD.ended_by;
  proposed.ended_at := OLD.ended_at;
  IF OLD.ended_at IS NOT NULL OR proposed IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'UPDATE of % is not allowed', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER attempt_proposals_immutable BEFORE UPDATE ON attempt_proposals
  FOR EACH ROW EXECUTE FUNCTION reject_change_of_proposal();
`
