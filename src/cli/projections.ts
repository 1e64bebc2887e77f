// cairn projections: the builds of projections, and their positions.

import { CairnError } from '../model/errors.js'
import { exitCode } from '../program/exit-codes.js'
import { textFlag } from '../program/flags.js'
import {
  changeBuilds,
  projectionNames,
  readBuilds,
  withNewBuild,
} from '../projection/builds.js'
import { statusOf } from '../projection/reader.js'
import type { OpenNamespace } from '../backend/backend.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { complain, printRow } from './output.js'

export const projections: CliCommand = {
  usage: 'projections [--rebuild NAME]',
  summary: 'show the positions of projections, or rebuild one',
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
      for (const name of names) {
        const lastPosition = () => store.lastPosition({ signal })
        const { end, builds } = await statusOf({
          name,
          documents,
          readModels,
          lastPosition,
        })
        for (const { number, ...build } of builds) {
          const { version, state, position, lag } = build
          await printRow(
            flags,
            { name, build: number, ...build, end },
            `${name}  build ${number} of version ${version}  ${state}  at ${position} of ${end}  ${lag} behind`,
          )
        }
      }
      if (names.length === 0)
        complain('No node has built a projection in this namespace yet.')
      return exitCode.ok
    })
  },
}

async function rebuild({ documents }: OpenNamespace, name: string): Promise<void> {
  const { builds } = await readBuilds(documents, name)
  if (builds.length === 0)
    throw new CairnError(
      'invalid-option',
      `No node has built a projection ${JSON.stringify(name)} in this namespace: "cairn projections" lists those that are there.`,
    )
  const version = Math.max(...builds.map(build => build.version))
  await changeBuilds(documents, name, now => withNewBuild(now, version))
}
