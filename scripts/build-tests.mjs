// Compiles the tests, and the sources they import, into `build`. Each test file is a process:
// compiled once for all, it starts at once; a loader of TypeScript would cost each of them
// seconds. Types are not checked here: `npm run types` does.

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
  if (code !== 0) throw new Error('The tests did not compile: see above.')
  // The sources read their version there, and what a test imports as `cairn-es` is dist.
  await cp('package.json', `${folder}/package.json`)
  await symlink(resolve('dist'), `${folder}/dist`, 'junction')
}

/**
 * What an argument names, as tap finds it: `test/store/memory.test.ts` is
 * `build/test/store/memory.test.js`; a flag stays what it is.
 * @param {string} argument
 */
export function builtTest(argument) {
  return argument.replace(/^(?:\.\/)?(test\/.*)\.ts$/, `${folder}/$1.js`)
}
