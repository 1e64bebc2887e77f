// Tells of changed source files below a directory, on every supported Node.
//
// Owns one watcher for each directory, at most `directoriesMax`. What is built, installed or hidden is left out.

import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { extname, join, resolve } from 'node:path'

const directoriesMax = 1_000
/** Milliseconds: an editor writes a file in several steps. */
const settle = 150
const skipped = new Set(['node_modules', 'dist', 'build', 'coverage'])
const endings = new Set(['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json'])

/**
 * Calls `changed` with the path of a file, once for changes that come together.
 * @param except a directory that is left out: the data of the node, which the node itself changes
 */
export function watchFiles(
  root: string,
  changed: (file: string) => void,
  except?: string,
): { close(): void } {
  const watchers = new Map<string, FSWatcher>()
  let timer: ReturnType<typeof setTimeout> | undefined

  const drop = (directory: string) => {
    watchers.get(directory)?.close()
    watchers.delete(directory)
  }

  const add = (directory: string) => {
    if (watchers.has(directory) || watchers.size >= directoriesMax) return
    if (except !== undefined && resolve(directory) === resolve(except)) return
    let entries
    try {
      entries = readdirSync(directory, { withFileTypes: true })
      const watcher = watch(directory, (_kind, name) => seen(directory, name))
      watcher.on('error', () => drop(directory))
      watchers.set(directory, watcher)
    } catch {
      return // It was removed meanwhile.
    }
    for (const entry of entries)
      if (entry.isDirectory() && isWanted(entry.name)) add(join(directory, entry.name))
  }

  const seen = (directory: string, name: string | null) => {
    if (name === null || !isWanted(name)) return
    const path = join(directory, name)
    if (!endings.has(extname(name))) {
      add(path)
      return
    }
    clearTimeout(timer)
    timer = setTimeout(() => changed(path), settle)
  }

  add(root)
  return {
    close() {
      clearTimeout(timer)
      for (const directory of watchers.keys()) drop(directory)
    },
  }
}

function isWanted(name: string): boolean {
  return !name.startsWith('.') && !skipped.has(name)
}
