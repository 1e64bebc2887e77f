// Two nodes of one namespace; one reaches the server through a proxy that loses messages.

import t, { type Test } from 'tap'

import type { GroupOptions } from '../support/jetstream-fixture.js'
import { type Proxy, startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'
import { freshNamespace, type Node, openNode } from './nodes.js'

export interface Scene {
  readonly proxy: Proxy
  /** Connected through the proxy. */
  readonly writer: Node
  /** Connected to the server. */
  readonly other: Node
}

/** Declares tests on a server. `options` are those of the writer's store. */
export function scenesOn(url: string, options: GroupOptions = {}) {
  return (title: string, body: (t: Test, scene: Scene) => Promise<void>) =>
    t.test(title, async t => {
      const namespace = freshNamespace()
      await using proxy = await startProxy(url)
      await using writer = await openNode(proxy.url, {
        namespace,
        nodeId: 'writer',
        ...options,
      })
      await using other = await openNode(url, { namespace, nodeId: 'other' })
      await body(t, { proxy, writer, other })
    })
}

/** Breaks the connection while a request is in transit, so that it never arrives. */
export async function loseRequest(
  { proxy, writer }: Scene,
  between: () => Promise<unknown>,
): Promise<void> {
  await until(() => writer.connection.requests.inFlight > 0, {
    describe: 'a request is out',
  })
  await between()
  proxy.cut()
  proxy.resume()
}
