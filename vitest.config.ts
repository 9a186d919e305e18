import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { defineConfig } from 'vitest/config'

const TEMPORARY = 'malipo-test-'

// All temporary files of a run are in one folder, which is deleted at its end. Each project reads this file.
if (!basename(tmpdir()).startsWith(TEMPORARY)) {
  const folder = mkdtempSync(join(tmpdir(), TEMPORARY))
  // PostgreSQL runs as another user than root.
  chmodSync(folder, 0o755)
  process.env.TMPDIR = folder
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
}

/** Workspace packages are taken from their sources, so that coverage and edits are seen. */
// Node itself gets these too, so `import` is not among them: `require` would follow it.
const conditions = ['source', 'node']

const project = (name: string, root: string, ...globalSetup: string[]) => ({
  extends: true as const,
  test: { name, root, include: ['src/**/*.spec.ts', 'test/**/*.spec.ts'], globalSetup },
})

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // A machine that builds for others has slow moments; a test that needed them is listed as flaky.
    retry: process.env.CI ? 2 : 0,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more processes than that make races out of time limits.
    maxWorkers: 2,
    reporters: ['default', './packages/local/src/summary-reporter.ts'],
    coverage: {
      provider: 'v8',
      include: ['packages/kit/src/**', 'services/*/src/**'],
      exclude: ['**/*.spec.ts', '**/main.ts', '**/migrate.ts'],
      reporter: ['text', 'json-summary'],
    },
    projects: [
      project('kit', 'packages/kit'),
      project('local', 'packages/local'),
      // Needs helm: `make lint-charts` asks for it. A filter on the command line would empty the coverage.
      ...(process.env.CHARTS ? [project('charts', 'charts')] : []),
      { extends: true, test: { name: 'drill', root: 'e2e/drill', include: ['**/*.spec.ts'] } },
      { extends: true, test: { name: 'charges', root: 'e2e/charges', include: ['*.spec.ts'] } },
      { extends: true, test: { name: 'soak', root: 'e2e/soak', include: ['*.spec.ts'] } },
      {
        extends: true,
        test: { name: 'notifications', root: 'e2e/notifications', include: ['*.spec.ts'] },
      },
      project('auth', 'services/auth', '../../packages/testing/src/global-setup.ts'),
      project(
        'payments',
        'services/payments',
        '../../packages/testing/src/global-setup.ts',
        'test/global-setup.ts',
      ),
      project('simulator', 'services/simulator'),
    ],
  },
})
