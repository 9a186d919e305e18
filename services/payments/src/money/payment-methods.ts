/** The ways in which a payer can pay. */
export const PAYMENT_METHODS = ['MOBILE_MONEY', 'CARD', 'BANK_TRANSFER'] as const
export type PaymentMethod = (typeof PAYMENT_METHODS)[number]
