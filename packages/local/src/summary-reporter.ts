import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * The closing line of a test run, `N passed, N failed`. It waits for the end of the process, because
 * the table of coverage is only printed after the last report.
 */
export default class SummaryReporter implements Reporter {
  private passed = 0
  private failed = 0

  onInit() {
    process.once('exit', (code) => {
      // A run that failed for another reason than a test (coverage, say) is a failure too.
      const failed = code !== 0 ? Math.max(this.failed, 1) : this.failed
      process.stdout.write(`${this.passed} passed, ${failed} failed\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]) {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    )
    // A file that could not be loaded, or a hook that threw, has no test to show for it.
    const broken = [...modules, ...modules.flatMap((module) => [...module.children.allSuites()])]
    const errors = broken.reduce((sum, task) => sum + task.errors().length, unhandled.length)
    this.passed = states.filter((state) => state === 'passed').length
    this.failed = states.filter((state) => state === 'failed').length + errors
  }
}
