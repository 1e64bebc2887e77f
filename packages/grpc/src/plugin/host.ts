// Hosts plugins: each registration is a node of its own, which leaves when the plugin does.
//
// Owns the registrations of one door.
// PLUGIN-HOST-1. Nothing of a plugin runs before its manifest was accepted.
// PLUGIN-HOST-2. When a plugin ends in any way, its node leaves at once: attempts that were under way do not count, and
//     other nodes, or the plugin's next registration, repeat them by the usual rules.
// PLUGIN-HOST-3. Draining sends no more work, waits for what the plugin has, and leaves then.

import { create } from '@bufbuild/protobuf'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import { type Backend, CairnError, type Logger, type Node, startNode } from 'cairn-es'

import {
  type HostRequest,
  type HostResponse,
  HostResponseSchema,
  type Manifest,
  type PluginService,
  RegisteredSchema,
} from '../gen/cairn/v1/plugin_pb.js'
import { checkManifest, type Expectation } from './manifest.js'
import { remoteActor } from './remote-actor.js'
import { remoteReactor, remoteTrigger } from './remote-reactor.js'
import { Suspects } from './suspects.js'
import { Workbench } from './workbench.js'

/** Milliseconds for a plugin to send its manifest. */
const manifestTimeout = 10_000
/** Milliseconds for a plugin to finish what it has when the host drains. */
const drainTimeout = 10_000

export interface PluginHostOptions {
  readonly namespace: string
  readonly backend: Backend
  readonly expected: Expectation
  readonly log?: Logger | false | undefined
  /** Called when a plugin is refused, is there, and has gone. */
  readonly onChange?: ((change: PluginChange) => void) | undefined
}

export type PluginChange =
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'registered'; readonly name: string; readonly node: string }
  | { readonly kind: 'gone'; readonly name: string; readonly isDrained: boolean }

export class PluginHost {
  readonly #options: PluginHostOptions
  readonly #suspects = new Map<string, Suspects>()
  readonly #registrations = new Set<Registration>()
  #isDraining = false

  constructor(options: PluginHostOptions) {
    this.#options = options
  }

  service(): ServiceImpl<typeof PluginService> {
    return { host: (requests, context) => this.#host(requests, context) }
  }

  /** The node of a plugin that decides the actors of a type. */
  nodeOf(type: string): Node | undefined {
    for (const { types, node } of this.#registrations)
      if (types.includes(type)) return node
    return undefined
  }

  /** PLUGIN-HOST-3. */
  async drain(): Promise<void> {
    this.#isDraining = true
    await Promise.all(Array.from(this.#registrations, one => one.drain()))
  }

  async *#host(
    requests: AsyncIterable<HostRequest>,
    { signal }: HandlerContext,
  ): AsyncGenerator<HostResponse> {
    const { onChange } = this.#options
    const incoming = requests[Symbol.asyncIterator]()
    let registration: Registration
    try {
      const manifest = await firstManifest(incoming, signal)
      registration = await this.#register(manifest)
    } catch (error) {
      onChange?.({ kind: 'refused', error })
      throw error
    }
    const { name, node, workbench } = registration
    this.#registrations.add(registration)
    onChange?.({ kind: 'registered', name, node: node.id })
    try {
      yield create(HostResponseSchema, { registered: this.#registered(node) })
      void registration.receive(incoming, signal)
      yield* workbench.messages()
    } finally {
      await registration.leave()
      this.#registrations.delete(registration)
      onChange?.({ kind: 'gone', name, isDrained: registration.isDrained })
    }
  }

  #registered({ namespace, id }: Node) {
    const contracts = [...this.#options.expected.contracts]
    return create(RegisteredSchema, { namespace, nodeId: id, contracts })
  }

  /** PLUGIN-HOST-1. */
  async #register(manifest: Manifest): Promise<Registration> {
    const { namespace, backend, expected, log } = this.#options
    if (this.#isDraining)
      throw new CairnError(
        'node-closed',
        'This host is stopping: register at another one.',
      )
    checkManifest(manifest, expected)
    const { name, workMax, actorTypes, reactors, triggers } = manifest
    const suspects = this.#suspects.get(name) ?? new Suspects()
    this.#suspects.set(name, suspects)
    const workbench = new Workbench(workMax, suspects)
    const node = await startNode({
      namespace,
      store: backend,
      actors: actorTypes.map(type => remoteActor(type, workbench)),
      reactors: reactors.map(reactor => remoteReactor(reactor, workMax, workbench)),
      metadata: { plugin: name, pluginVersion: manifest.version },
      serve: true,
      ...(log !== undefined && { log }),
    })
    try {
      for (const trigger of triggers) {
        const { definition, handle, options } = remoteTrigger(trigger, workbench)
        await node.trigger(definition, handle, options).start()
      }
    } catch (error) {
      await node.close()
      throw error
    }
    const types = actorTypes.map(({ type }) => type)
    return new Registration(name, types, node, workbench)
  }
}

/** A plugin that is there. */
class Registration {
  readonly name: string
  /** Of actors. */
  readonly types: readonly string[]
  readonly node: Node
  readonly workbench: Workbench
  isDrained = false
  #leaving: Promise<void> | undefined

  constructor(name: string, types: readonly string[], node: Node, workbench: Workbench) {
    this.name = name
    this.types = types
    this.node = node
    this.workbench = workbench
  }

  /** Takes results until the plugin ends. Never rejects. */
  async receive(
    incoming: AsyncIterator<HostRequest>,
    signal: AbortSignal,
  ): Promise<void> {
    const aborted = () => this.#die()
    signal.addEventListener('abort', aborted, { once: true })
    try {
      for (;;) {
        const { done, value } = await incoming.next()
        if (done === true) break
        this.workbench.settle(value.results)
      }
    } catch {
      // The stream was cut: the plugin has died.
    }
    signal.removeEventListener('abort', aborted)
    this.#die()
  }

  async drain(): Promise<void> {
    this.workbench.drain()
    this.#leaving ??= this.node.close({ timeout: drainTimeout })
    await this.#leaving
    this.isDrained = true
    this.workbench.end(gone(this.name))
  }

  /** PLUGIN-HOST-2. */
  #die(): void {
    this.workbench.die(gone(this.name))
    void this.leave()
  }

  leave(): Promise<void> {
    this.workbench.die(gone(this.name))
    this.#leaving ??= this.node.close({ timeout: 1 })
    return this.#leaving
  }
}

/** The command was not decided. Whoever sent it to this node finds the actor's next owner. */
function gone(name: string): CairnError {
  return new CairnError(
    'not-owner',
    `Plugin ${name} has gone: nothing was stored. Another node, or the plugin's next start, takes over.`,
    { details: { plugin: name } },
  )
}

async function firstManifest(
  incoming: AsyncIterator<HostRequest>,
  signal: AbortSignal,
): Promise<Manifest> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(manifestTimeout)])
  const first = await Promise.race([
    incoming.next(),
    new Promise<never>((_, reject) => {
      late.addEventListener('abort', () => reject(noManifest()), { once: true })
    }),
  ])
  if (first.done !== true && first.value.manifest !== undefined)
    return first.value.manifest
  throw noManifest()
}

function noManifest(): CairnError {
  return new CairnError(
    'invalid-definition',
    `A plugin sends its manifest first, within ${manifestTimeout} ms; this one did not.`,
  )
}
