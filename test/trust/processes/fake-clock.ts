// A process's own wall clock, by libfaketime where that is installed. Its monotonic clock stays the machine's.

import { existsSync, writeFileSync } from 'node:fs'

const library = [
  process.env['FAKETIME_LIBRARY'],
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find(path => path !== undefined && existsSync(path))

export class FakeClock {
  /** What the process must be started with. */
  readonly env: NodeJS.ProcessEnv
  readonly #file: string

  private constructor(file: string, path: string) {
    this.#file = file
    this.env = {
      LD_PRELOAD: path,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // The first name is the one of version 0.9.9 and older.
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
    this.shift(0)
  }

  /** Undefined where there is no libfaketime. */
  static at(file: string): FakeClock | undefined {
    return library === undefined ? undefined : new FakeClock(file, library)
  }

  /** The clock is `ms` ahead of the machine's from now on; negative: behind. */
  shift(ms: number): void {
    writeFileSync(this.#file, `${ms < 0 ? '-' : '+'}${Math.abs(ms) / 1000}\n`)
  }
}
