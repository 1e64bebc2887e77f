// Support for the tests of the command line: places for a namespace, JSON output, and refusals.

import type { Test } from 'tap'

import type { Backend } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import type { cairn } from '../multinode/harness.js'

type Ended = Awaited<ReturnType<typeof cairn>>

export interface Home {
  readonly name: string
  readonly store: Backend
  /** The flags that name the same backend on a command line. */
  readonly flags: readonly string[]
}

/** A backend on the server, and one in the directory. */
export function homesOf(server: { readonly url: string }, dir: string): readonly Home[] {
  const { url } = server
  return [
    { name: 'JetStream', store: jetstream({ servers: url }), flags: ['--nats', url] },
    { name: 'embedded', store: embedded({ dir }), flags: ['--embedded', dir] },
  ]
}

/** The objects that a command has printed with --json. */
export function jsonLines<T = Record<string, unknown>>({
  lines,
}: Pick<Ended, 'lines'>): T[] {
  return lines.map(line => JSON.parse(line) as T)
}

export interface Refusal {
  readonly code: number
  /** Matches the one line on stderr. */
  readonly says: RegExp
}

/**
 * A refusal: nothing on stdout, one line on stderr that names the value and the remedy, and the
 * documented exit code.
 */
export function isRefused(
  t: Test,
  { code, stdout, stderr }: Pick<Ended, 'code' | 'stdout' | 'stderr'>,
  wanted: Refusal,
): void {
  t.equal(code, wanted.code, stderr)
  t.equal(stdout, '', 'nothing is on stdout')
  const lines = stderr
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('Try: '))
  t.equal(lines.length, 1, `one line: ${stderr}`)
  t.match(lines[0], /^cairn( node)?: /)
  t.match(lines[0], wanted.says)
}
