// The built package in a folder of its own, where a mutant may change it.

import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { compileFiles, doors, joinDoors } from '../../../scripts/bundle.mjs'

/** @typedef {import('./mutants.mjs').Mutant} Mutant */

/** What mutants change. Everything else is linked. */
const copied = ['build', 'dist', 'docs', 'src']
const leftOut = ['.git', '.tap']

/**
 * Fills an empty folder with the built repository, and makes a folder `tmp` in it.
 *
 * @param {string} folder
 */
export async function plantTree(folder) {
  for (const name of await readdir('.')) {
    if (leftOut.includes(name)) continue
    const path = join(folder, name)
    if (copied.includes(name)) await cp(name, path, { recursive: true })
    else await symlink(resolve(name), path)
  }
  // The tests import it as `cairn-es`. The one that was copied leads back to the repository.
  const link = join(folder, 'build', 'dist')
  await rm(link)
  await symlink(join(folder, 'dist'), link)
  await mkdir(join(folder, 'tmp'))
}

/**
 * Throws if the code that the mutant changes is not there, or is there more than once.
 *
 * @param {string} folder
 * @param {Mutant} mutant
 */
export async function mutate(folder, { file, from, to }) {
  const path = join(folder, file)
  const text = await readFile(path, 'utf8')
  const count = text.split(from).length - 1
  if (count !== 1)
    throw new Error(
      `the code that this mutant changes is gone: ${file} has it ${count} times, not once`,
    )
  await writeFile(
    path,
    text.replace(from, () => to),
  )
  const [, module] = /^src\/(.*)\.ts$/.exec(file) ?? []
  if (module === undefined) return
  // Nodes of other processes run `dist`, and tests import `build/src`.
  await compileFiles([file], { from: '.', to: 'build', root: folder })
  if (!doors.includes(module))
    await compileFiles([file], { from: 'src', to: 'dist', root: folder })
  await joinDoors(folder)
}
