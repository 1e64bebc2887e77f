// The announcement of this process in a file, written again when it is gone.
//
// Other processes remove announcements of processes that they cannot reach, and may be wrong: a process that was
// frozen, or busy, lives on. And a process that starts under the id of one that died may have its file removed by those
// that have just read the old one.
//
// KEPT-1. While it is kept, the file is there again within a second, whoever removed it.
// KEPT-2. It does not replace the announcement of another process that lives: of two with one id, the later one stays.
// KEPT-3. Once `stop` has resolved, the file is gone, and is not written again.

import { writePrivateJson } from '../local/private-json.js'
import { isRunning } from '../local/processes.js'
import { inBackground } from '../model/background.js'
import { readAnnouncement, removeAnnouncement } from './announcement-files.js'

/** Milliseconds between looks at the file. */
const lookEvery = 200

export class KeptAnnouncement {
  readonly #path: string
  readonly #announcement: object
  readonly #timer: NodeJS.Timeout
  #look: Promise<void> | undefined
  #isStopped = false

  private constructor(path: string, announcement: object) {
    this.#path = path
    this.#announcement = announcement
    const look = () =>
      inBackground(
        `looking for ${path}`,
        () =>
          (this.#look ??= this.#writeIfGone().finally(() => (this.#look = undefined))),
      )
    this.#timer = setInterval(look, lookEvery)
    this.#timer.unref()
  }

  /** Writes the file, with the id of this process. */
  static async write(path: string, announcement: object): Promise<KeptAnnouncement> {
    const withId = { ...announcement, pid: process.pid }
    await writePrivateJson(path, withId)
    return new KeptAnnouncement(path, withId)
  }

  /** Removes the file. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#look
    await removeAnnouncement(this.#path, this.#announcement)
  }

  async #writeIfGone(): Promise<void> {
    const found = await readAnnouncement<{ pid: number }>(
      this.#path,
      ({ pid }) => typeof pid === 'number',
    )
    if (found !== undefined && isRunning(found.pid)) return
    // A disk that is full for a moment: the next look tries again.
    await writePrivateJson(this.#path, this.#announcement).catch(() => {})
  }
}
