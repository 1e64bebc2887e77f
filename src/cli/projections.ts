// cairn projections: the builds of projections, and their positions.

import { CairnError } from '../model/errors.js'
import { programs } from '../model/programs.js'
import { exitCode } from '../program/exit-codes.js'
import { textFlag } from '../program/flags.js'
import {
  changeBuilds,
  projectionNames,
  readBuilds,
  withNewBuild,
} from '../projection/builds.js'
import { type BuildStatus, logEndOf, statusOf } from '../projection/reader.js'
import type { OpenNamespace } from '../backend/backend.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { Table } from './table.js'

export const projections: CliCommand = {
  usage: 'projections [--rebuild NAME]',
  flags: { rebuild: { type: 'string' } },
  help: `  --rebuild NAME     build it again; the rows of the last build are read meanwhile
`,
  run(flags, signal) {
    positionals(flags, [])
    const rebuilt = textFlag(flags, 'rebuild')
    return withNamespace(flags, async open => {
      if (rebuilt !== undefined) await rebuild(open, rebuilt)
      const { documents, readModels, store } = open
      const names =
        rebuilt === undefined ? await projectionNames(documents, { signal }) : [rebuilt]
      const table = new Table<BuildRow>(flags, {
        columns: [
          { title: 'projection', text: row => row.name },
          { title: 'build', text: row => row.build, isNumber: true },
          { title: 'version', text: row => row.version, isNumber: true },
          { title: 'state', text: row => row.state },
          { title: 'position', text: row => row.position, isNumber: true },
          { title: 'end', text: row => row.end, isNumber: true },
          { title: 'behind', text: row => row.lag, isNumber: true },
          { title: 'seconds', text: row => row.lagSeconds, isNumber: true },
        ],
        line: ({ name, build, version, state, position, end, lag }) =>
          `${name}  build ${build} of version ${version}  ${state}  at ${position} of ${end}  ${lag} behind`,
        empty: 'No node has built a projection in this namespace yet.',
      })
      for (const name of names) {
        const { end, builds } = await statusOf({
          name,
          documents,
          readModels,
          ...logEndOf(store, signal),
        })
        for (const { number, ...build } of builds) {
          await table.row({ name, build: number, ...build, end })
        }
      }
      await table.end()
      return exitCode.ok
    })
  },
}

interface BuildRow extends Omit<BuildStatus, 'number'> {
  readonly name: string
  readonly build: number
  readonly end: number
}

async function rebuild({ documents }: OpenNamespace, name: string): Promise<void> {
  const { builds } = await readBuilds(documents, name)
  if (builds.length === 0)
    throw new CairnError(
      'invalid-option',
      `No node has built a projection ${JSON.stringify(name)} in this namespace: "${programs.cairn} projections" lists those that are there.`,
    )
  const version = Math.max(...builds.map(build => build.version))
  await changeBuilds(documents, name, now => withNewBuild(now, version))
}
