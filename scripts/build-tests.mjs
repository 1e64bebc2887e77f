// Compiles the tests, and the sources that they import, into `build`. Each test file runs in its own process:
// compiled, it starts immediately; a TypeScript loader would cost each process
// seconds. Types are not checked here; `npm run types` checks them.

import { cp, readdir, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { compileFiles } from './bundle.mjs'
import { buildOnce } from './up-to-date.mjs'

const folder = 'build'
const sources = ['src', 'test', 'examples', 'scripts', 'bench', 'config']

export function buildTests() {
  return buildOnce(folder, [...sources, 'package.json', 'tsconfig.json'], async () => {
    const files = (await Promise.all(sources.map(filesIn))).flat()
    const compiled = files.filter(file => file.endsWith('.ts'))
    await compileFiles(compiled, { from: '.', to: folder })
    for (const file of files)
      if (file.endsWith('.mjs')) await cp(file, join(folder, file))
    // The sources read their version from it, and tests import dist as `cairn-es`.
    await cp('package.json', `${folder}/package.json`)
    await symlink(resolve('dist'), `${folder}/dist`, 'junction')
  })
}

/**
 * The files of a folder, without what was built.
 * @param {string} path
 * @returns {Promise<string[]>}
 */
async function filesIn(path) {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(file => !/(^|\/)(dist|node_modules)\//.test(file))
}

/**
 * The compiled file of a test: `test/store/memory.test.ts` becomes
 * `build/test/store/memory.test.js`. Flags are returned unchanged.
 * @param {string} argument
 */
export function builtTest(argument) {
  return argument.replace(/^(?:\.\/)?(test\/.*)\.ts$/, `${folder}/$1.js`)
}
