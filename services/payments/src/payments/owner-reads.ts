import { Injectable } from '@nestjs/common'

/** Publishes which pending payments their owners read: an owner who reads one waits for its end. */
@Injectable()
export class OwnerReads {
  private readonly listeners: ((paymentId: string) => void)[] = []

  /** Calls `listener` when an owner has read a pending payment of a provider. */
  onRead(listener: (paymentId: string) => void): void {
    this.listeners.push(listener)
  }

  notify(paymentId: string): void {
    for (const listener of this.listeners) listener(paymentId)
  }
}
