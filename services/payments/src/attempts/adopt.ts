/**
 * SQL that assigns a parked callback, `message`, to the attempt and payment of the relation `to`. It stays without them
 * if the attempt has a callback of the same bytes.
 */
export const adopt = (to: string) =>
  ['attempt_id', 'payment_id']
    .map(
      (column) =>
        `${column} = CASE WHEN ${isAdopted(to)} THEN ${to}.${column} ELSE message.${column} END`,
    )
    .join(',\n    ')

const isAdopted = (to: string) => `
      message.attempt_id IS NULL AND NOT EXISTS (
        SELECT
        FROM provider_messages AS other
        WHERE other.kind = 'callback'
          AND other.source = message.source
          AND other.body_hash = message.body_hash
          AND other.attempt_id = ${to}.attempt_id
      )`
