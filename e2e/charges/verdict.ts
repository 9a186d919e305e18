/** Whether a payment is what the simulator's book says it must be: pure rules. */

/** A payment and its attempt, as payments stores them. */
export interface StoredPayment {
  readonly status: string
  readonly needsAttention: boolean
  readonly hasLateSuccess: boolean
  readonly attemptState: string
  /** Whether a call to the provider is still due, now or later. */
  readonly isDue: boolean
}

/** What the book has of a payment's reference. */
export interface BookFacts {
  readonly charge?: BookCharge
  readonly rejections: number
}

export interface BookCharge {
  readonly amount: string
  readonly provider: string
  /** What happens to the money in the end, and what queries then report of it. */
  readonly end: { readonly outcome: Outcome; readonly reported: string }
  readonly steps: readonly { readonly type: string; readonly outcome?: Outcome }[]
}

export interface Outcome {
  readonly status: 'pending' | 'paid' | 'declined'
  readonly amount?: string
}

/** Airtel states no amounts, so that a payer who pays another one is not noticed. */
const WITHOUT_AMOUNTS = 'airtel-money'

/** What the book demands. `attention`: the provider withholds the answer, so that an operator must look. */
type Demand = 'success' | 'failure' | 'attention' | 'open'

/** @returns undefined if the book does not have the charge */
export function demandOf(charge: BookCharge): Demand {
  const { outcome, reported } = charge.end
  if (reported === 'unknown') return 'attention'
  if (outcome.status === 'declined') return 'failure'
  if (outcome.status === 'pending') return 'open'
  const isOtherAmount = outcome.amount !== charge.amount
  return isOtherAmount && charge.provider !== WITHOUT_AMOUNTS ? 'attention' : 'success'
}

/** Why a payment can't be right; undefined if it is what the book demands. */
export function faultOf(payment: StoredPayment, book: BookFacts): string | undefined {
  const { status, needsAttention, hasLateSuccess, attemptState, isDue } = payment
  const isFlagged = status === 'PENDING' && needsAttention
  if (!book.charge) {
    // Airtel refuses some requests with a final code, which is its word that the payment failed.
    const isNotSent =
      attemptState === 'not_sent' || (attemptState === 'declined' && book.rejections > 0)
    if ((status === 'FAILED' && isNotSent && !hasLateSuccess) || isFlagged) return undefined
    return 'the book has no charge: it must be FAILED as not sent, or PENDING with attention'
  }
  const isFailed = status === 'FAILED' && attemptState === 'declined'
  switch (demandOf(book.charge)) {
    case 'success':
      if (status === 'SUCCESS' && !needsAttention) return undefined
      if (isFailed && hasLateSuccess && wasDeclined(book.charge)) return undefined
      return 'it is paid: it must be SUCCESS, or FAILED with a late success if it was declined before'
    case 'failure':
      if (isFailed && !hasLateSuccess) return undefined
      return 'it is declined: it must be FAILED by the provider’s word'
    case 'attention':
      return isFlagged ? undefined : 'the answer is withheld: it must be PENDING with attention'
    case 'open':
      if (isFlagged || (status === 'PENDING' && isDue)) return undefined
      return 'the payer never decides: it must be PENDING, and flagged after the last query'
  }
}

/** Whether nothing that the book has can change the payment any more. */
export function isSettled(payment: StoredPayment, book: BookFacts): boolean {
  if (faultOf(payment, book) !== undefined) return false
  const isFinal = payment.status === 'SUCCESS' || payment.status === 'FAILED'
  return isFinal ? !payment.isDue : payment.needsAttention
}

function wasDeclined({ steps }: BookCharge): boolean {
  return steps.some(({ type, outcome }) => type === 'outcome' && outcome?.status === 'declined')
}
