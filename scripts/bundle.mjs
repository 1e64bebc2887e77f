// What esbuild does in a build: it joins the modules of each door of the package, and compiles single modules.
//
// A process that loads some 300 modules one by one spends most of its start on it. So each door (the
// `exports` and `bin` of package.json, and the programs) becomes one file, with what several share in
// dist/chunks. The modules stay beside them in a checkout, for tests; the package leaves them out.

import { resolve } from 'node:path'
import { build } from 'esbuild'

/** The files that are joined, relative to src, without their ending. */
export const doors = [
  'index',
  'doors/store',
  'doors/ops',
  'doors/http',
  'doors/xstate',
  'doors/otel',
  'doors/middleware',
  'testing/index',
  'node',
  'cli/main',
  // What the benchmarks' bare programs are made of.
  'doors/bench',
  // Named in `--actors`, it is the same module as the one of `--demo`.
  'program/demo/account',
]

/** @type {import('esbuild').BuildOptions} */
const shared = {
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  logLevel: 'warning',
}

/** @param {string} root the folder of src and dist */
export async function joinDoors(root = '.') {
  await build({
    ...shared,
    absWorkingDir: resolve(root),
    entryPoints: doors.map(door => ({ in: `src/${door}.ts`, out: door })),
    outdir: 'dist',
    // No map: all names are as in the sources, and lines are short enough for stack traces to say where. Indents and blanks
    // would be a tenth of the package.
    minifyWhitespace: true,
    lineLimit: 120,
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    packages: 'external',
  })
}

/**
 * Compiles each file by itself, without a check of types.
 * @param {readonly string[]} files
 * @param {{ readonly from: string, readonly to: string, readonly root?: string }} folders
 */
export async function compileFiles(files, { from, to, root = '.' }) {
  await build({
    ...shared,
    absWorkingDir: resolve(root),
    entryPoints: [...files],
    outbase: from,
    outdir: to,
    sourcemap: true,
    // The sources are beside the maps.
    sourcesContent: false,
  })
}
