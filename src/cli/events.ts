// cairn events: the event catalogue, with what differs from the code, and the types of what is stored.

import type { AnyActorDefinition } from '../actor/definition.js'
import type { OpenNamespace } from '../backend/backend.js'
import { toJson } from '../codec/json.js'
import { checkActorType, isReservedType } from '../model/address.js'
import { messageOf } from '../model/errors.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { isSet, type ParsedFlags, placeOf, textFlag } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { eventView } from '../runtime/views/event.js'
import { isoTime } from '../runtime/views/iso-time.js'
import { Turns } from '../store/turns.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { Catalogue, type CatalogueEntry, type Seen } from './events/catalogue.js'
import { type Drift, driftOf, neverSeen } from './events/drift.js'
import { keptFile, readKept, writeKept } from './events/kept.js'
import { type EventSchema, schemasOf, typesOf } from './events/print-types.js'
import { complain, print } from './output.js'
import type { Progress } from './progress.js'
import { Table } from './table.js'

export const events: CliCommand = {
  usage: 'events [--type T] [--actors FILE] [--types] [--sample]',
  flags: {
    type: { type: 'string' },
    types: { type: 'boolean' },
    sample: { type: 'boolean' },
    cache: { type: 'string' },
    rebuild: { type: 'boolean' },
    ...actorFlags,
  },
  isLong: true,
  help: `  --type T           only actors of this type (default: all but Cairn's own, which begin with cairn-)
  --actors FILE      also say what differs from these definitions, and exit with 1 if they do not know what is
                     stored; may be repeated
  --demo             also say what differs from the demo's definitions
  --types            print the types of what is stored: TypeScript, with --json JSON Schema
  --sample           print the latest event of each type
  --cache FILE       keep the result in this file (default: one of the cache directory of the user)
  --rebuild          read the whole log again
`,
  async run(flags, signal, progress) {
    positionals(flags, [])
    const type = textFlag(flags, 'type')
    if (type !== undefined) checkActorType(type)
    if (isSet(flags, 'types') && isSet(flags, 'sample'))
      throw new UsageError('--types and --sample are two outputs: use one of them.')
    const definitions = await loadActors(flags)
    return withNamespace(flags, async open => {
      const catalogue = await upToDate(flags, open, signal, progress)
      const entries = catalogue.entries.filter(({ actorType }) =>
        type === undefined ? !isReservedType(actorType) : actorType === type,
      )
      const chosen = definitions.filter(one => type === undefined || one.type === type)
      if (isSet(flags, 'types')) await printTypes(flags, entries, chosen)
      else if (isSet(flags, 'sample')) await printSamples(flags, open, entries, signal)
      else return printEntries(flags, catalogue, entries, chosen, type)
      return exitCode.ok
    })
  },
}

/** The catalogue that is kept, with what is new in the log. What was read is kept, also when it is interrupted. */
async function upToDate(
  flags: ParsedFlags,
  { store }: OpenNamespace,
  signal: AbortSignal,
  progress: Progress,
): Promise<Catalogue> {
  const { dir, nats } = placeOf(flags)
  const place = dir ?? [nats?.servers ?? ''].flat().join(',')
  const file = textFlag(flags, 'cache') ?? keptFile(store.namespace, place)
  const kept = isSet(flags, 'rebuild') ? undefined : await readKept(file, store, signal)
  const catalogue = new Catalogue(kept)
  const after = catalogue.position
  // A store of this machine answers at once: signals and progress need their turns.
  const turns = new Turns()
  try {
    let read = 0
    for await (const record of store.readAll({ after, signal })) {
      catalogue.add(record)
      if (++read % 1_000 === 0) progress.say(`${read} commits read`)
      await turns.next()
    }
  } finally {
    if (catalogue.position > after)
      try {
        await writeKept(file, store.namespace, catalogue.toKept())
      } catch (error) {
        complain(
          `The result is not kept, and the next call reads the whole log again (${messageOf(error)}): name a file with --cache.`,
        )
      }
  }
  return catalogue
}

interface Row {
  readonly actorType: string
  readonly event: string
  readonly count: number
  readonly versions: readonly object[]
  readonly first?: object
  readonly last?: object
  readonly producers: readonly object[]
  readonly otherProducers?: number
  readonly drift?: Drift
}

async function printEntries(
  flags: ParsedFlags,
  { position, unreadable }: Catalogue,
  entries: readonly CatalogueEntry[],
  definitions: readonly AnyActorDefinition[],
  type: string | undefined,
): Promise<number> {
  const byType = new Map(definitions.map(definition => [definition.type, definition]))
  const table = new Table<Row>(flags, {
    columns: [
      { title: 'type', text: row => row.actorType },
      { title: 'event', text: row => row.event, style: () => 'cyan' },
      { title: 'count', text: row => row.count, isNumber: true },
      { title: 'seen', text: lineOf.seen, style: () => 'dim' },
      { title: 'by', text: lineOf.producers },
      { title: 'drift', text: lineOf.drift, style: () => 'red' },
    ],
    line: row =>
      [
        `${row.actorType} ${row.event}`,
        `${row.count} ${row.count === 1 ? 'event' : 'events'}`,
        lineOf.seen(row),
        lineOf.producers(row),
        lineOf.drift(row),
      ]
        .filter(text => text !== '')
        .join('  '),
    empty:
      type === undefined
        ? 'There are no events in this namespace yet.'
        : `There are no events of type ${type} in this namespace.`,
  })
  let isBehind = false
  for (const entry of entries) {
    const definition = byType.get(entry.actorType)
    const drift = definition && driftOf(definition, entry)
    if (drift !== undefined) isBehind = true
    await table.row({ ...viewOf(entry), ...(drift !== undefined && { drift }) })
  }
  for (const definition of definitions)
    for (const event of neverSeen(definition, entries)) {
      const { type: actorType } = definition
      const none = { count: 0, versions: [], producers: [] }
      await table.row({ actorType, event, ...none, drift: 'never' })
    }
  await table.end()
  if (definitions.length > 0) {
    const types = new Set(entries.map(({ actorType }) => actorType))
    const undefinedTypes = [...types].filter(one => !byType.has(one))
    if (undefinedTypes.length > 0)
      complain(`There is no definition here of ${undefinedTypes.join(', ')}.`)
  }
  const bad = unreadable === 0 ? '' : `; ${unreadable} records cannot be read`
  complain(`Up to position ${position}${bad}.`)
  return isBehind ? exitCode.failed : exitCode.ok
}

const lineOf = {
  seen: ({ versions, first, last }: Row) =>
    first === undefined
      ? ''
      : `${versions.map(one => `v${(one as { schemaVersion: number }).schemaVersion}`).join(', ')}  ` +
        `${whenOf(first)} to ${whenOf(last!)}`,
  producers({ producers, otherProducers = 0 }: Row): string {
    const named = (producers as { node: string; behavior: number }[]).slice(-3)
    if (named.length === 0) return ''
    const more = producers.length - named.length + (otherProducers > 0 ? 1 : 0)
    const list = named.map(({ node, behavior }) => `${node}@${behavior}`).join(', ')
    return `by ${list}${more > 0 ? ' and earlier ones' : ''}`
  },
  drift: ({ drift }: Row) =>
    drift === undefined
      ? ''
      : {
          unknown: 'UNKNOWN to the code',
          newer: 'NEWER than the code',
          never: 'never stored',
        }[drift],
}

function whenOf(seen: object): string {
  const { position, at } = seen as { position: number; at: string }
  return `${position} (${at})`
}

function viewOf(entry: CatalogueEntry): Row {
  const { actorType, event, count, first, last, otherProducers } = entry
  return {
    actorType,
    event,
    count,
    first: seenView(first),
    last: seenView(last),
    versions: Object.entries(entry.versions).map(([version, one]) => ({
      schemaVersion: Number(version),
      count: one.count,
      first: seenView(one.first),
      last: seenView(one.last),
    })),
    producers: entry.producers.map(one => ({
      node: one.node,
      behavior: one.behavior,
      count: one.count,
      last: seenView(one.last),
    })),
    ...(otherProducers > 0 && { otherProducers }),
  }
}

function seenView({ position, at }: Seen) {
  return { position, at: isoTime(at) }
}

/** The latest event of each type, read from the log. */
async function printSamples(
  flags: ParsedFlags,
  { store }: OpenNamespace,
  entries: readonly CatalogueEntry[],
  signal: AbortSignal,
): Promise<void> {
  for (const { event, last } of entries) {
    const { position } = last
    for await (const record of store.readAll({ after: position - 1, limit: 1, signal })) {
      if (record.kind !== 'commit' || record.position !== position) break
      const found = record.events.findLast(({ type }) => type === event)
      if (found === undefined) break
      const view = eventView(found)
      await print(
        wantsJson(flags)
          ? toJson(view)
          : plain(`${record.actor.type} ${event}  ${toJson(view.data)}  ${view.id}`),
      )
      break
    }
  }
}

async function printTypes(
  flags: ParsedFlags,
  entries: readonly CatalogueEntry[],
  definitions: readonly AnyActorDefinition[],
): Promise<void> {
  const byActor = new Map<string, EventSchema[]>()
  for (const entry of entries) {
    const definition = definitions.find(({ type }) => type === entry.actorType)
    const known = byActor.get(entry.actorType) ?? []
    byActor.set(entry.actorType, [...known, ...schemasOf(entry, definition)])
  }
  for (const [actorType, schemas] of byActor)
    if (wantsJson(flags)) for (const schema of schemas) await print(toJson(schema))
    else
      for (const line of typesOf(actorType, schemas).split('\n')) await print(plain(line))
}
