// Compiles the tests, and the sources that they import, into `build`. Each test file runs in its own process:
// compiled, it starts immediately; a TypeScript loader would cost each process
// seconds. Types are not checked here; `npm run types` checks them.

import { cp, mkdir, readdir, symlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { compileFiles } from './bundle.mjs'
import { buildOnce } from './up-to-date.mjs'

const folder = 'build'
const sources = ['src', 'test', 'examples', 'packages', 'scripts', 'bench', 'config']

export function buildTests() {
  return buildOnce(folder, [...sources, 'package.json', 'tsconfig.json'], async () => {
    const files = (await Promise.all(sources.map(filesIn))).flat()
    const compiled = files.filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    await compileFiles(compiled, { from: '.', to: folder })
    for (const file of files) if (/\.m?js$/.test(file)) await cp(file, join(folder, file))
    // The sources read their version from it, and tests import dist as `cairn-es`.
    await cp('package.json', `${folder}/package.json`)
    await symlink(resolve('dist'), `${folder}/dist`, 'junction')
    await linkPackages()
  })
}

/** Tests, and the packages that they import, use one copy of the sources of `cairn-es`. */
async function linkPackages() {
  const grpc = `${folder}/packages/grpc`
  await cp('packages/grpc/package.json', `${grpc}/package.json`)
  await mkdir(`${folder}/sources`)
  await cp('package.json', `${folder}/sources/package.json`)
  /** @type {readonly (readonly [string, string])[]} */
  const links = [
    [`${folder}/sources/dist`, `${folder}/src`],
    [`${grpc}/dist`, `${grpc}/src`],
    [`${grpc}/node_modules/cairn-es`, `${folder}/sources`],
    [`${folder}/node_modules/@cairn-es/grpc`, grpc],
  ]
  for (const [at, to] of links) {
    await mkdir(dirname(at), { recursive: true })
    await symlink(resolve(to), at, 'junction')
  }
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
