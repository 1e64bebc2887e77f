// The contracts in `proto`: lint, format, breaking changes since the last release, and the code that is made of them.
//
//   npm run proto                 checks all of it
//   npm run proto -- --write      writes the code and the format
//   npm run proto -- --release    makes the present contracts those that later ones must not break
//
// Needs no network: buf and protoc-gen-es come from npm.

import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const generated = 'packages/grpc/src/gen'
/** The contracts of the last release, as an image of buf. */
const released = 'released.binpb'

/** @param {readonly string[]} args */
function buf(...args) {
  execFileSync(resolve('node_modules/.bin/buf'), args, { cwd: 'proto', stdio: 'inherit' })
}

/** @param {string} folder */
async function contentsOf(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length))
  return JSON.stringify(
    await Promise.all(
      files.toSorted().map(async file => [file, await readFile(folder + file, 'utf8')]),
    ),
  )
}

try {
  const [mode] = process.argv.slice(2)
  if (mode === '--release') buf('build', '--exclude-source-info', '-o', released)
  else if (mode === '--write') {
    buf('format', '-w')
    buf('generate')
  } else {
    buf('lint')
    buf('format', '--diff', '--exit-code')
    buf('breaking', '--against', released)
    const folder = await mkdtemp(join(tmpdir(), 'cairn-proto-'))
    const before = join(folder, 'gen')
    await cp(generated, before, { recursive: true })
    buf('generate')
    const isSame = (await contentsOf(generated)) === (await contentsOf(before))
    await rm(folder, { recursive: true })
    if (!isSame)
      throw new Error(`${generated} was not made of proto: it is now; commit it.`)
    console.log(
      'proto: lint, format, breaking changes and generated code are as they should be',
    )
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
