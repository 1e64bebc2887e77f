// Builds dist, and the packages: tsc checks and compiles src and writes the declarations, esbuild joins the modules of each door.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp } from 'node:fs/promises'

import { joinDoors, doors } from './bundle.mjs'
import { buildConsole } from './console.mjs'
import { keepReachedDeclarations } from './declarations.mjs'
import { linkPackages } from './link-packages.mjs'
import { buildOnce } from './up-to-date.mjs'

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
  'scripts/bundle.mjs',
  'scripts/declarations.mjs',
]

await buildOnce('dist', ['src', ...shared], async () => {
  await tsc('-p', 'tsconfig.build.json')
  await joinDoors()
  await keepReachedDeclarations('dist', doors)
})
await linkPackages()
await buildOnce(
  'packages/grpc/dist',
  [
    'packages/grpc/src',
    'packages/grpc/package.json',
    'packages/grpc/tsconfig.json',
    'src',
    ...shared,
  ],
  async () => {
    await tsc('-p', 'packages/grpc')
    // tsc copies no declarations.
    await cp('packages/grpc/src/gen', 'packages/grpc/dist/gen', { recursive: true })
  },
)
await buildOnce(
  'packages/console/dist',
  ['packages/console', 'scripts/console.mjs', ...shared],
  async () => {
    await tsc('-p', 'packages/console')
    await tsc('-p', 'packages/console/app')
    await buildConsole()
  },
)
// Their types come from dist.
await buildOnce(
  'examples/dist',
  ['examples', 'src', 'tsconfig.examples.json', ...shared],
  () => tsc('-p', 'tsconfig.examples.json'),
)
