// Processes as users start them. tap puts a loader and its measuring of coverage into every process
// that a test starts, which makes a command of 0.1 s one of 0.3 s and all code in it slower; what is
// set behind its back, by `env`, takes them out again. The id is still that of the process.

import type { ForkOptions } from 'node:child_process'

/** Command and arguments, as `spawn` takes them. */
export function bare(
  command: string,
  ...args: string[]
): readonly [command: string, args: string[]] {
  return ['env', ['NODE_OPTIONS=', command, ...args]]
}

/** The same as options of `fork`. */
export const bareFork: ForkOptions = {
  execPath: 'env',
  execArgv: ['NODE_OPTIONS=', process.execPath],
}
