// A set of fixtures, and what it must be read and continued as.

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { ManualClock } from 'cairn-es/testing'
import type { Test } from 'tap'

import type { Tokens } from '../fixtures/proceed.mjs'
import { bare } from '../support/bare.js'

/** The sets, oldest first. */
export const sets = ['set-1']

/** How the fixtures are used here: by the library and the program of this checkout. */
export const how = {
  ManualClock,
  actorsFile: resolve('test/fixtures/definitions.mjs'),
  program: (args: readonly string[]) =>
    bare(process.execPath, 'dist/cli/main.js', ...args),
}

export function folderOf(set: string): string {
  return resolve('test/fixtures', set)
}

export async function tokensOf(
  set: string,
  home: 'jetstream' | 'embedded',
): Promise<Tokens> {
  return (await jsonOf(set, 'tokens.json'))[home] as Tokens
}

/** Holds what is observed against what the build that wrote the set has seen, part by part. */
export async function compare(
  t: Test,
  set: string,
  home: 'jetstream' | 'embedded',
  parts: AsyncIterable<readonly [name: string, part: unknown]>,
): Promise<void> {
  const expected = (await jsonOf(set, 'expected.json'))[home] as Record<string, unknown>
  const names: string[] = []
  for await (const [name, part] of parts) {
    names.push(name)
    comparePart(t, name, JSON.parse(JSON.stringify(part)), expected[name])
  }
  t.strictSame(names, Object.keys(expected), 'all parts are there')
}

/** By its members, down to where a difference is short to read. */
function comparePart(
  t: Test,
  title: string,
  found: unknown,
  expected: unknown,
  depth = 0,
): void {
  if (depth < 2 && isRecord(found) && isRecord(expected)) {
    t.strictSame(Object.keys(found), Object.keys(expected), `${title} has the same parts`)
    for (const [name, value] of Object.entries(expected))
      comparePart(t, `${title}: ${name}`, found[name], value, depth + 1)
  } else t.strictSame(found, expected, title)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function jsonOf(set: string, file: string): Promise<Record<string, unknown>> {
  const text = await readFile(join(folderOf(set), file), 'utf8')
  return JSON.parse(text) as Record<string, unknown>
}
