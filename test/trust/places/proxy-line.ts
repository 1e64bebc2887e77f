// A process's line: one proxy for each server.

import { type Direction, type Proxy, startProxy } from '../../support/proxy.js'
import type { Line, StoreOptions, TrustPlace } from '../place.js'

export class ProxyLine implements Line {
  readonly #proxies: readonly Proxy[]

  private constructor(proxies: readonly Proxy[]) {
    this.#proxies = proxies
  }

  /** @param servers their own URLs */
  static async start(servers: readonly string[]): Promise<ProxyLine> {
    return new ProxyLine(await Promise.all(servers.map(startProxy)))
  }

  /** What the process connects to. It must ignore the other addresses that servers of a cluster advertise. */
  get urls(): string[] {
    return this.#proxies.map(({ url }) => url)
  }

  /** What is on its way waits, also the end of a connection, and arrives after `heal`. */
  cut(direction: Direction): void {
    for (const proxy of this.#proxies) proxy.hold(direction)
  }

  delay(ms: number): void {
    for (const proxy of this.#proxies) proxy.delay(ms)
  }

  heal(): void {
    for (const proxy of this.#proxies) proxy.heal()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#proxies.map(proxy => proxy[Symbol.asyncDispose]()))
  }
}

/** `lineFor` of a place on servers. */
export async function lineTo(
  direct: Extract<StoreOptions, { kind: 'jetstream' }>,
): ReturnType<TrustPlace['lineFor']> {
  const line = await ProxyLine.start(direct.servers)
  return { store: { ...direct, servers: line.urls }, line }
}
