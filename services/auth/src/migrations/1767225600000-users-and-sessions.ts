import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * The tables of the first release. An id is made by the service, not by the database: it is also the
 * operation id by which a service that lost the answer to its INSERT knows its own row.
 */
export class UsersAndSessions1767225600000 implements MigrationInterface {
  readonly name = 'UsersAndSessions1767225600000'

  async up(runner: QueryRunner) {
    await runner.query(`
      CREATE TABLE users (
        id uuid CONSTRAINT users_pkey PRIMARY KEY,
        phone text NOT NULL,
        email text NOT NULL,
        password_hash text NOT NULL,
        scopes text[],
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT users_phone_key UNIQUE (phone),
        CONSTRAINT users_email_key UNIQUE (email),
        CONSTRAINT users_phone_is_e164 CHECK (phone ~ '^\\+[1-9][0-9]{3,14}$'),
        CONSTRAINT users_email_is_normal CHECK (
          char_length(email) <= 254 AND email LIKE '_%@_%' AND email !~ '[A-Z[:space:]]'
        ),
        CONSTRAINT users_password_hash_is_bcrypt CHECK (
          password_hash ~ '^\\$2[aby]\\$[0-9]{2}\\$[./A-Za-z0-9]{53}$'
        ),
        CONSTRAINT users_scopes_have_no_null CHECK (array_position(scopes, NULL) IS NULL)
      )
    `)
    await runner.query(`
      COMMENT ON COLUMN users.scopes IS
        'NULL: what the MODE gives to every user; else exactly these'
    `)
    await runner.query(`
      CREATE TABLE sessions (
        id uuid CONSTRAINT sessions_pkey PRIMARY KEY,
        user_id uuid NOT NULL,
        refresh_token_hash bytea NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        expires_at timestamptz(3) NOT NULL,
        ended_at timestamptz(3),
        CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
        CONSTRAINT sessions_refresh_token_hash_key UNIQUE (refresh_token_hash),
        CONSTRAINT sessions_refresh_token_hash_is_sha256 CHECK (
          octet_length(refresh_token_hash) = 32
        ),
        CONSTRAINT sessions_expire_after_creation CHECK (expires_at > created_at)
      )
    `)
    // A user's living sessions are what is listed and ended; the ended ones only grow in number.
    await runner.query(`
      CREATE INDEX sessions_living_of_user_idx ON sessions (user_id) WHERE ended_at IS NULL
    `)
  }

  /** Forward only: what a release has written, the release before it could not put back. */
  async down() {
    throw new Error('Migrations go forward only: restore a backup instead')
  }
}
