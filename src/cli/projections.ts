// cairn projections: which builds there are, and how far each has come.

import { CairnError } from '../model/errors.js'
import { exitCode } from '../program/exit-codes.js'
import { text } from '../program/flags.js'
import {
  changeBuilds,
  projectionNames,
  readBuilds,
  withNewBuild,
} from '../projection/builds.js'
import { type ProjectionStatus, statusOf } from '../projection/reader.js'
import type { OpenNamespace } from '../backend/backend.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { complain, print, toJson } from './output.js'

export const projections: CliCommand = {
  usage: 'projections [--rebuild NAME]',
  summary: 'show how far projections have come, or have one built anew',
  flags: { rebuild: { type: 'string' } },
  help: `  --rebuild NAME     have this one built anew, beside the rows that are read meanwhile
`,
  run(flags, signal) {
    positionals(flags, [])
    const rebuilt = text(flags, 'rebuild')
    return withNamespace(flags, async open => {
      if (rebuilt !== undefined) await rebuild(open, rebuilt)
      const { documents, readModels, store } = open
      const names =
        rebuilt === undefined ? await projectionNames(documents, { signal }) : [rebuilt]
      for (const name of names) {
        const status = await statusOf({
          name,
          documents,
          readModels,
          lastPosition: () => store.lastPosition({ signal }),
        })
        for (const line of wantsJson(flags) ? jsonOf(status) : linesOf(status))
          await print(line)
      }
      if (names.length === 0)
        complain('No projection was ever built here: no node has had one yet.')
      return exitCode.ok
    })
  },
}

async function rebuild({ documents }: OpenNamespace, name: string): Promise<void> {
  const { builds } = await readBuilds(documents, name)
  if (builds.length === 0)
    throw new CairnError(
      'invalid-option',
      `No projection ${JSON.stringify(name)} was ever built in this namespace: "cairn projections" lists them.`,
    )
  const version = Math.max(...builds.map(build => build.version))
  await changeBuilds(documents, name, now => withNewBuild(now, version))
}

function jsonOf({ name, end, builds }: ProjectionStatus): string[] {
  return builds.map(({ number, ...rest }) =>
    toJson({ name, build: number, ...rest, end }),
  )
}

function linesOf({ name, end, builds }: ProjectionStatus): string[] {
  return builds.map(
    ({ number, version, state, position, lag }) =>
      `${name}  build ${number} of version ${version}  ${state}  at ${position} of ${end}  ${lag} behind`,
  )
}
