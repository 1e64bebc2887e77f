// Logs a failure that is retried when it begins, and not each time that it is retried. The store reports a missing stream.

import { isCairnError, messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'

export class FailureLog {
  readonly #log: WriteLog
  #last: string | undefined

  constructor(log: WriteLog) {
    this.#log = log
  }

  /** Logs the failure unless the one before was the same; a success in between makes it another. */
  failed(text: string, error: unknown): void {
    const reason = isCairnError(error) ? error.code : messageOf(error)
    if (reason === this.#last) return
    this.#last = reason
    if (reason === 'foreign-stream') return
    this.#log('warn', text, { err: error })
  }

  succeeded(): void {
    this.#last = undefined
  }
}
