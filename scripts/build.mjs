// Builds dist: tsc compiles src and writes the declarations, esbuild joins the modules of each door.
//
// A process that loads some 300 modules one by one spends most of its start on it. So each door (the
// `exports` and `bin` of package.json, and the programs) becomes one file, with what several share in
// dist/chunks. The modules stay beside them in a checkout, for tests; the package leaves them out.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { build } from 'esbuild'

import { buildOnce } from './up-to-date.mjs'

/** The files that are joined, relative to dist, without their ending. */
const doors = [
  'index',
  'doors/store',
  'doors/ops',
  'doors/xstate',
  'testing/index',
  'node',
  'cli/main',
  // What the benchmarks' bare programs are made of.
  'doors/bench',
  // Named in `--actors`, it is the same module as the one of `--demo`.
  'program/demo/account',
]

/** @param {readonly string[]} args */
async function tsc(...args) {
  const compiler = spawn(process.execPath, ['node_modules/typescript/bin/tsc', ...args], {
    stdio: 'inherit',
  })
  const [code] = await once(compiler, 'exit')
  if (code !== 0) process.exit(1)
}

const shared = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
]

await buildOnce('dist', ['src', ...shared], async () => {
  await tsc('-p', 'tsconfig.build.json')
  await build({
    entryPoints: doors.map(door => ({ in: `dist/${door}.js`, out: door })),
    outdir: 'dist',
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    sourcemap: true,
    // src is in the package.
    sourcesContent: false,
    logLevel: 'warning',
  })
})
// Their types come from dist.
await buildOnce(
  'examples/dist',
  ['examples', 'src', 'tsconfig.examples.json', ...shared],
  () => tsc('-p', 'tsconfig.examples.json'),
)
