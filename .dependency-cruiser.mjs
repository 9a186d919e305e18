// The order of layers and the absence of cycles, between files and between folders. Type-only imports count.
const KIT = '^packages/kit/src'
/** Each layer of kit may import from the layers before it. `postgres` and `redis` are on one level. */
const LAYERS = [['config'], ['telemetry'], ['http'], ['worker'], ['postgres', 'redis'], ['seal']]

const layerRules = LAYERS.flatMap((names, level) =>
  names.map((name) => {
    const allowed = [name, ...LAYERS.slice(0, level).flat()]
    return {
      name: `kit-layer-${name}`,
      comment: `packages/kit/src/${name} imports from ${allowed.join(', ')}, and from nothing else of kit.`,
      severity: 'error',
      from: { path: `${KIT}/${name}/` },
      to: { path: `${KIT}/`, pathNot: `${KIT}/(${allowed.join('|')})/` },
    }
  }),
)

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-cycle-of-files',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-cycle-of-folders',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    ...layerRules,
    {
      name: 'idempotency-knows-no-resource',
      comment: 'Any resource can be replayed: idempotency/ takes a loader.',
      severity: 'error',
      from: { path: '^services/payments/src/idempotency/' },
      to: { path: '^services/payments/src/(?!idempotency/|problems)[a-z-]+/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: '\\.spec\\.ts$|/test/|/dist/' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'require', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
}
