// cairn actors: the actors that have events, and the actor types.

import { describeType, type TypeDescription, withoutSchema } from '../actor/describe.js'
import type { OpenNamespace } from '../backend/backend.js'
import { checkActorType, formatAddress, isReservedType } from '../model/address.js'
import { defined } from '../model/defined.js'
import { isCairnError } from '../model/errors.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { isSet, type ParsedFlags, textFlag } from '../program/flags.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { readMembers } from './members.js'
import { Table } from './table.js'

export const actors: CliCommand = {
  usage: 'actors [--type T] [--types]',
  flags: { type: { type: 'string' }, types: { type: 'boolean' }, ...actorFlags },
  help: `  --type T           only this type (default: all but Cairn's own, which begin with cairn-)
  --types            list the types that the nodes host, with the commands, events, topics and states
                     that have no schema
  --actors FILE      with --types: the types of this file instead; may be repeated
  --demo             with --types: the demo's types
`,
  async run(flags, signal, progress) {
    positionals(flags, [])
    const type = textFlag(flags, 'type')
    if (type !== undefined) checkActorType(type)
    if (isSet(flags, 'types')) return listTypes(flags, type, signal)
    const givenHere = await loadActors(flags)
    if (givenHere.length > 0)
      throw new UsageError(
        '--actors and --demo need --types: the actors are in the store.',
      )
    return withNamespace(flags, async ({ store }) => {
      const options = { signal, ...defined({ type }) }
      const table = new Table<{ actor: string; type: string; id: string }>(flags, {
        columns: [
          { title: 'type', text: row => row.type },
          { title: 'id', text: row => row.id },
        ],
        line: row => row.actor,
        empty:
          type === undefined
            ? 'No actor has events in this namespace yet.'
            : `No actor of type ${type} has events in this namespace.`,
      })
      let count = 0
      for await (const actor of store.actors(options)) {
        // Supervisors: one for each actor that was ever given a directive.
        if (type === undefined && isReservedType(actor.type)) continue
        const name = formatAddress(actor)
        progress.say(`${++count} actors`)
        await table.row({ actor: name, type: actor.type, id: actor.id })
      }
      await table.end()
      return exitCode.ok
    })
  },
}

/** The types of `--actors`, or those that the nodes host. */
async function listTypes(
  flags: ParsedFlags,
  type: string | undefined,
  signal: AbortSignal,
): Promise<number> {
  const table = typesTable(flags)
  const here = await loadActors(flags)
  if (here.length > 0) {
    for (const definition of here)
      if (type === undefined || definition.type === type)
        await table.row(typeRow(describeType(definition)))
    await table.end()
    return exitCode.ok
  }
  return withNamespace(flags, async open => {
    const members = await readMembers(open, signal)
    const types = new Set(members.flatMap(member => member.types))
    for (const hosted of [...types].toSorted())
      if (type === undefined || hosted === type)
        await table.row(typeRow(await describeHosted(open, hosted, signal)))
    await table.end()
    return exitCode.ok
  })
}

/** Asks a node that hosts the type. Of an older one only the name is known. */
async function describeHosted(
  { transport }: OpenNamespace,
  type: string,
  signal: AbortSignal,
): Promise<TypeDescription | { readonly type: string }> {
  try {
    const request = { kind: 'describe', actor: { type, id: 'any' } } as const
    return (await transport.request(request, { signal })) as TypeDescription
  } catch (error) {
    if (isCairnError(error, 'invalid-command') && error.details.kind === 'describe')
      return { type }
    throw error
  }
}

type TypeRow =
  | { readonly type: string }
  | (TypeDescription & { readonly withoutSchema: readonly string[] })

function typeRow(described: TypeDescription | { readonly type: string }): TypeRow {
  if (!('version' in described)) return described
  return { ...described, withoutSchema: withoutSchema(described) }
}

function typesTable(flags: ParsedFlags): Table<TypeRow> {
  const name = (row: TypeRow) =>
    'version' in row ? `${row.type}@${row.version}` : row.type
  const missing = (row: TypeRow) => {
    if (!('version' in row)) return 'its nodes are too old to tell'
    if (row.withoutSchema.length === 0) return 'all have schemas'
    return `no schema: ${row.withoutSchema.join(', ')}`
  }
  return new Table<TypeRow>(flags, {
    columns: [
      { title: 'type', text: name },
      { title: 'schemas', text: missing },
    ],
    line: row => `${name(row)}  ${missing(row)}`,
    empty: 'No node hosts an actor type in this namespace.',
  })
}
