/** The lines of the `ConfigurationError` that reading an environment throws; none if it throws nothing. */
export function configurationErrors(read: () => unknown): readonly string[] {
  try {
    read()
    return []
  } catch (error) {
    if (error instanceof Error && error.name === 'ConfigurationError' && 'lines' in error) {
      return error.lines as readonly string[]
    }
    throw error
  }
}
