/** The kind of what is wrong with a dependency, for `/health`; undefined if it works. */
export type ProblemOf = () => Promise<string | undefined>

/** A service's own dependencies that `/health` reports, in addition to the database and Redis. */
export class Dependencies {
  private readonly problems = new Map<string, ProblemOf>()

  /** Adds a dependency whose failure degrades the service but does not make it unready. */
  add(name: string, problemOf: ProblemOf) {
    this.problems.set(name, problemOf)
  }

  get all(): readonly (readonly [string, ProblemOf])[] {
    return [...this.problems]
  }
}
