// What every refusal of a program looks like: nothing on stdout, one line that names the
// value and the remedy on stderr, and the documented exit code.

import type { Test } from 'tap'

import type { cairn } from '../multinode/harness.js'

export interface Refusal {
  readonly code: number
  /** What the one line must say. */
  readonly says: RegExp
}

export function isRefused(
  t: Test,
  {
    code,
    stdout,
    stderr,
  }: Pick<Awaited<ReturnType<typeof cairn>>, 'code' | 'stdout' | 'stderr'>,
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
