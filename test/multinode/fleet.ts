// A fleet of real node processes on one real server, each behind a line of its own, and what
// may become of them: the verbs of the users' `testCluster`, for processes.

import { startProxy, type Proxy } from '../support/proxy.js'
import { type NodeProcess, startNode } from './harness.js'

interface Ship {
  readonly node: NodeProcess
  readonly line: Proxy
}

export class Fleet implements AsyncDisposable {
  readonly #flags: readonly string[]
  readonly #url: string
  readonly #ships = new Map<string, Ship>()

  private constructor(url: string, flags: readonly string[]) {
    this.#url = url
    this.#flags = flags
  }

  /** Starts a node for each id. */
  static async start(
    ids: readonly string[],
    { url, flags }: { readonly url: string; readonly flags: readonly string[] },
  ): Promise<Fleet> {
    const fleet = new Fleet(url, flags)
    for (const id of ids) await fleet.add(id)
    return fleet
  }

  get ids(): string[] {
    return [...this.#ships.keys()]
  }

  async add(id: string): Promise<void> {
    const line = await startProxy(this.#url)
    const node = await startNode(...this.#flags, '--nats', line.url, '--id', id)
    this.#ships.set(id, { node, line })
  }

  /** SIGKILL. */
  async kill(id: string): Promise<void> {
    const { node, line } = this.#take(id)
    await node.kill()
    await line[Symbol.asyncDispose]()
  }

  /** SIGTERM; the exit code. */
  async drain(id: string): Promise<number | null> {
    const { node, line } = this.#take(id)
    const code = await node.stop()
    await line[Symbol.asyncDispose]()
    return code
  }

  /** SIGSTOP: it does nothing, and its connection stands. */
  pause(id: string): void {
    process.kill(this.#get(id).node.pid, 'SIGSTOP')
  }

  /** SIGCONT. */
  resume(id: string): void {
    process.kill(this.#get(id).node.pid, 'SIGCONT')
  }

  /** It runs, and nothing passes between it and the server, in either direction. */
  partition(id: string): void {
    this.#get(id).line.pause()
  }

  /** What was held back arrives now. */
  heal(id: string): void {
    this.#get(id).line.resume()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { node, line } of this.#ships.values()) {
      await node[Symbol.asyncDispose]()
      await line[Symbol.asyncDispose]()
    }
  }

  #get(id: string): Ship {
    const ship = this.#ships.get(id)
    if (ship === undefined) throw new Error(`no node ${id} is running`)
    return ship
  }

  #take(id: string): Ship {
    const ship = this.#get(id)
    this.#ships.delete(id)
    return ship
  }
}
