// Lint rules for imports, made of the table in config/architecture.mjs.

import { adapterFile, layers, libraries } from './config/architecture.mjs'

const folder = (/** @type {string} */ path) => `^src/${path}/`
const any = (/** @type {readonly string[]} */ paths) => `^src/(?:${paths.join('|')})/`

const directions = layers.flatMap(({ path, imports, adapters = [] }) => {
  const rule = (
    /** @type {string} */ name,
    /** @type {readonly string[]} */ allowed,
    /** @type {object} */ from,
  ) => ({
    name,
    severity: 'error',
    comment: `src/${path} may import ${allowed.join(', ') || 'nothing of ours'}: imports point down.`,
    from: { path: folder(path), ...from },
    to: { path: '^src/', pathNot: any([path, ...allowed]) },
  })
  if (adapters.length === 0) return [rule(`${path}-imports`, imports, {})]
  return [
    rule(`${path}-imports`, imports, { pathNot: adapterFile }),
    {
      ...rule(`${path}-adapter-imports`, [...imports, ...adapters], {}),
      from: { path: `^src/${path}/.*${adapterFile.slice(1)}` },
    },
  ]
})

const homes = Object.entries(libraries).map(([library, paths]) => ({
  name: `${library}-home`,
  severity: 'error',
  comment: `${library} has one home in the tree.`,
  from: { path: '^src/', pathNot: `^src/(?:${paths.join('|')})` },
  to: { path: `(?:^|/)node_modules/${library}/` },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circle',
      severity: 'error',
      comment: 'Imports of types count, too.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'packages-use-doors',
      severity: 'error',
      comment: 'Packages import cairn-es by its doors, as everybody does.',
      from: { path: '^packages/' },
      to: { path: '^src/' },
    },
    ...directions,
    ...homes,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
}
