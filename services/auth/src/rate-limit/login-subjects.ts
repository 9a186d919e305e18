/** The subjects of counted password attempts that consist of the account's phone. The table stores their hashes. */

export const accountSubject = (phone: string) => `account ${phone}`
export const clientsSubject = (phone: string) => `clients ${phone}`
export const ownersNetworkSubject = (phone: string) => `owners-network ${phone}`

export function accountSubjects(phone: string): string[] {
  return [accountSubject, clientsSubject, ownersNetworkSubject].map((of) => of(phone))
}
