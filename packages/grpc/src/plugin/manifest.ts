// Manifests: what a plugin says it is, checked before anything of it runs. All that is wrong is named at once.

import { CairnError, defineConsumer } from 'cairn-es'

import type { ActorType, Manifest, Reactor, Trigger } from '../gen/cairn/v1/plugin_pb.js'
import { eventsOfType, topicNamed, topicOrPattern } from '../door/topics.js'

/** The contract of plugins. */
export const pluginContract = 'cairn.v1'
const workMaxMax = 10_000
const namePattern = /^[a-z0-9][a-z0-9-]{0,62}$/
const handlerPattern = /^[A-Za-z0-9_-]{1,63}$/
const typePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/

/** What a manifest is held against. */
export interface Expectation {
  /** The contracts that this host has. */
  readonly contracts: readonly string[]
  /** The name and the version that the plugin must have. Default: any. */
  readonly plugin?: { readonly name: string; readonly version?: string } | undefined
}

/** Throws `invalid-definition` with `details.mismatches`: a path and a text for each. */
export function checkManifest(manifest: Manifest, expected: Expectation): void {
  const found = new Mismatches()
  checkIdentity(manifest, expected, found)
  const { actorTypes, reactors, triggers, workMax } = manifest
  if (!(workMax >= 1 && workMax <= workMaxMax))
    found.add('work_max', `is ${workMax}: use 1 to ${workMaxMax}`)
  if (actorTypes.length + reactors.length + triggers.length === 0)
    found.add('', 'handles nothing: name actor_types, reactors or triggers')
  checkEach(found, 'actor_types', actorTypes, ({ type }) => type, checkActorType)
  checkEach(found, 'reactors', reactors, ({ name }) => name, checkReactor)
  checkEach(found, 'triggers', triggers, ({ consumer }) => consumer, checkTrigger)
  found.throwAny(manifest.name)
}

function checkIdentity(
  manifest: Manifest,
  { contracts: own, plugin }: Expectation,
  found: Mismatches,
): void {
  const { name, version, contracts } = manifest
  if (!namePattern.test(name))
    found.add('name', `is ${JSON.stringify(name)}: use ${namePattern.source}`)
  if (version === '') found.add('version', 'is missing')
  if (plugin !== undefined && plugin.name !== name)
    found.add('name', `is ${JSON.stringify(name)}, and ${plugin.name} is expected`)
  if (plugin?.version !== undefined && plugin.version !== version)
    found.add(
      'version',
      `is ${JSON.stringify(version)}, and ${plugin.version} is expected`,
    )
  if (!contracts.includes(pluginContract))
    found.add('contracts', `lacks ${pluginContract}, the contract of this host`)
  for (const contract of contracts)
    if (!own.includes(contract)) {
      const subject = contract.slice(0, contract.lastIndexOf('@') + 1)
      const other = own.find(one => subject !== '' && one.startsWith(subject))
      found.add(
        'contracts',
        other === undefined
          ? `has ${contract}, which this host does not have`
          : `has ${contract}, and this host has ${other}`,
      )
    }
}

function checkActorType(
  { version, commands, events, publishes }: ActorType,
  { add }: Scope,
  type: string,
): void {
  if (!typePattern.test(type) || type.startsWith('cairn-'))
    add(
      'type',
      `is ${JSON.stringify(type)}: use ${typePattern.source}, not beginning with cairn-`,
    )
  if (version < 1) add('version', 'is 0: use a whole number from 1')
  if (commands.length === 0)
    add('commands', 'is empty: name each command that it decides')
  if (events.length === 0) add('events', 'is empty: name each event that it folds')
  checkNames(commands, 'commands', add)
  checkNames(events, 'events', add)
  for (const topic of publishes) check(add, 'publishes', () => topicNamed(topic))
}

function checkReactor(reactor: Reactor, scope: Scope, name: string): void {
  if (!handlerPattern.test(name))
    scope.add('name', `is ${JSON.stringify(name)}: use ${handlerPattern.source}`)
  checkTopics(reactor, scope)
}

function checkTrigger(trigger: Trigger, scope: Scope, consumer: string): void {
  if (!handlerPattern.test(consumer))
    scope.add('consumer', `is ${JSON.stringify(consumer)}: use ${handlerPattern.source}`)
  checkTopics(trigger, scope)
}

function checkTopics(
  handler: {
    readonly topics: readonly string[]
    readonly eventsOf: readonly string[]
    readonly attempts?: number | undefined
    readonly concurrency?: number | undefined
  },
  { add }: Scope,
): void {
  const { topics, eventsOf, attempts, concurrency } = handler
  if (topics.length + eventsOf.length === 0)
    add('topics', 'is empty, and so is events_of: name what it reads')
  for (const topic of topics)
    check(add, 'topics', () => {
      // Its form is checked as that of a reader's pattern is.
      defineConsumer({ name: 'pattern', on: topicOrPattern(topic) })
    })
  for (const type of eventsOf) check(add, 'events_of', () => eventsOfType(type))
  checkNames([...topics, ...eventsOf.map(type => `events of ${type}`)], 'topics', add)
  if (attempts === 0) add('attempts', 'is 0: use a whole number from 1')
  if (concurrency === 0) add('concurrency', 'is 0: use a whole number from 1')
}

function checkNames(names: readonly string[], path: string, add: Scope['add']): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) add(path, `has ${JSON.stringify(twice)} twice`)
  if (names.includes('')) add(path, 'has an empty name')
}

function check(add: Scope['add'], path: string, work: () => unknown): void {
  try {
    work()
  } catch (error) {
    add(path, (error as Error).message)
  }
}

interface Scope {
  readonly add: (path: string, problem: string) => void
}

function checkEach<Item extends { readonly $unknown?: unknown[] | undefined }>(
  found: Mismatches,
  list: string,
  items: readonly Item[],
  nameOf: (item: Item) => string,
  checkItem: (item: Item, scope: Scope, name: string) => void,
): void {
  const names = items.map(nameOf)
  checkNames(names, list, (path, problem) => found.add(path, problem))
  for (const [i, item] of items.entries()) {
    const add: Scope['add'] = (path, problem) =>
      found.add(`${list}[${i}].${path}`, problem)
    if ((item.$unknown?.length ?? 0) > 0)
      add('', 'has fields that this host does not know: it was made for a later contract')
    checkItem(item, { add }, names[i]!)
  }
}

class Mismatches {
  readonly #found: { readonly path: string; readonly problem: string }[] = []

  readonly add = (path: string, problem: string): void => {
    this.#found.push({ path, problem })
  }

  throwAny(name: string): void {
    const found = this.#found
    if (found.length === 0) return
    const texts = found.map(({ path, problem }) =>
      path === '' ? `it ${problem}` : `${path} ${problem}`,
    )
    throw new CairnError(
      'invalid-definition',
      `The manifest of plugin ${JSON.stringify(name)} does not fit this host: ${texts.join('; ')}.`,
      { details: { plugin: name, mismatches: found } },
    )
  }
}
