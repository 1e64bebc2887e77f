// Reports, once per actor type, that states of the type cannot be stored.

import { messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'

export class UnstorableTypes {
  readonly #log: WriteLog
  readonly #reported = new Set<string>()

  constructor(log: WriteLog) {
    this.#log = log
  }

  report(type: string, error: unknown): void {
    if (this.#reported.has(type)) return
    this.#reported.add(type)
    const reason = messageOf(error)
    const message = `States of actor type ${type} cannot be stored, so waking an actor reads its history: ${reason}`
    this.#log('warn', message, { type, reason })
  }
}
