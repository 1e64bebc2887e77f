// Links the packages of this repository to each other, as npm would install them: those in `packages` import `cairn-es`,
// and its programs load them where they are installed. There is no workspace: npm cannot make the root a dependency.

import { mkdir, symlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/** Where a package is found by whom. */
const links = [
  { at: 'packages/grpc/node_modules/cairn-es', to: '.' },
  { at: 'dist/node_modules/@cairn-es/grpc', to: 'packages/grpc' },
  { at: 'examples/node_modules/@cairn-es/grpc', to: 'packages/grpc' },
  { at: 'dist/node_modules/@cairn-es/console', to: 'packages/console' },
  { at: 'bench/node_modules/cairn-es', to: '.' },
  { at: 'dist/node_modules/@cairn-es/bench', to: 'bench' },
]

export async function linkPackages() {
  for (const { at, to } of links) {
    await mkdir(dirname(at), { recursive: true })
    try {
      await symlink(resolve(to), at, 'junction')
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    }
  }
}
