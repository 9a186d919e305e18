/** What operators do that is recorded, each with its meaning. */
export const OPERATOR_ACTIONS = {
  /** In the sandbox: ends an attempt. */
  resolve: 'ended an attempt',
  /** In the sandbox: clears the attention of an attempt. */
  attention_clear: 'cleared the attention of an attempt',
  resolve_propose: 'proposed to resolve an attempt',
  resolve_confirm: 'confirmed the proposal of another operator',
  resolve_cancel: 'cancelled their own proposal',
  query: 'made a query due',
  replay: 'read a stored callback again',
  read_body: 'read the body of a message',
  list_payments: 'listed payments of all merchants',
} as const

export type OperatorActionKind = keyof typeof OPERATOR_ACTIONS

export const OPERATOR_ACTION_KINDS = Object.keys(OPERATOR_ACTIONS) as OperatorActionKind[]

/** An action, as it is recorded in the transaction of its effect. */
export interface OperatorAction {
  /** UUIDv7: the operation id of the statement. */
  readonly id: string
  /** The id of the user. */
  readonly operator: string
  readonly action: OperatorActionKind
  readonly reason?: string
  readonly evidence?: string
  /** Without personal data of payers. */
  readonly details?: object
}
