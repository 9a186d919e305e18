import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * Prints the last line of a test run, `N passed, N failed`. It is printed when the process exits, because
 * vitest prints the coverage table after the last call of a reporter.
 */
export default class SummaryReporter implements Reporter {
  private passed = 0
  private failed = 0

  onInit() {
    process.once('exit', (code) => {
      // A run that failed for another reason, such as low coverage, counts as a failure.
      const failed = code !== 0 ? Math.max(this.failed, 1) : this.failed
      process.stdout.write(`${this.passed} passed, ${failed} failed\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]) {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    )
    // Errors of files and hooks are counted separately: they belong to no test.
    const tasks = [...modules, ...modules.flatMap((module) => [...module.children.allSuites()])]
    const errors = tasks.reduce((sum, task) => sum + task.errors().length, unhandled.length)
    this.passed = states.filter((state) => state === 'passed').length
    this.failed = states.filter((state) => state === 'failed').length + errors
  }
}
