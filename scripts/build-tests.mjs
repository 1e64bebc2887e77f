// Compiles the tests, and the sources that they import, into `build`. Each test file runs in its own process:
// compiled, it starts immediately; a TypeScript loader would cost each process
// seconds. Types are not checked here; `npm run types` checks them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, rm, symlink } from 'node:fs/promises'
import { resolve } from 'node:path'

const folder = 'build'

export async function buildTests() {
  await rm(folder, { recursive: true, force: true })
  const compiler = spawn(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'],
    { stdio: 'inherit' },
  )
  const [code] = await once(compiler, 'exit')
  if (code !== 0) throw new Error('The tests did not compile: see the output above.')
  // The sources read their version from it, and tests import dist as `cairn-es`.
  await cp('package.json', `${folder}/package.json`)
  await symlink(resolve('dist'), `${folder}/dist`, 'junction')
}

/**
 * The compiled file of a test: `test/store/memory.test.ts` becomes
 * `build/test/store/memory.test.js`. Flags are returned unchanged.
 * @param {string} argument
 */
export function builtTest(argument) {
  return argument.replace(/^(?:\.\/)?(test\/.*)\.ts$/, `${folder}/$1.js`)
}
