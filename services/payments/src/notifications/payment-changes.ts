import { Injectable } from '@nestjs/common'

/** A committed change of a payment. */
export interface PaymentChange {
  readonly ownerId: string
  readonly id: string
  /** The payment's version after the change; undefined if the replica does not know it. */
  readonly version?: number
}

/** The changes that this replica commits. Those of other replicas are found in the database. */
@Injectable()
export class PaymentChanges {
  private readonly listeners: ((change: PaymentChange) => void)[] = []

  onChange(listener: (change: PaymentChange) => void): void {
    this.listeners.push(listener)
  }

  committed(change: PaymentChange): void {
    for (const listener of this.listeners) listener(change)
  }
}
