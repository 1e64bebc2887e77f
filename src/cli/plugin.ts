// cairn plugin: runs a child process that hosts handlers, in any language.

import { messageOf } from '../model/errors.js'
import { programs } from '../model/programs.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { backendOf, namespaceOf, textFlag } from '../program/flags.js'
import { loadGrpcPackage, type PluginEvent } from '../program/grpc-package.js'
import { type CliCommand, verbOf, wantsJson } from './command.js'
import { complain, print } from './output.js'

export const plugin: CliCommand = {
  usage: 'plugin run [--plugin NAME[@VERSION]] -- PROGRAM [ARGUMENT]…',
  flags: { plugin: { type: 'string' } },
  verbs: ['run'],
  isLive: true,
  help: `  --plugin NAME[@VERSION]  refuse a program whose manifest has another name or version

The program gets CAIRN_DOOR (unix:PATH), CAIRN_TOKEN and CAIRN_NS, and registers there. It is
started again when it ends. SIGTERM drains it. Needs the package @cairn-es/grpc.
`,
  async run(flags, signal) {
    const [verb = '', ...command] = flags.positionals
    verbOf(verb, ['run'])
    if (command.length === 0)
      throw new UsageError(
        `No program is given: ${programs.cairn} plugin run -- python3 plugin.py`,
      )
    const { runPlugin } = await loadGrpcPackage()
    const [name, version] = (textFlag(flags, 'plugin') ?? '').split('@')
    await runPlugin({
      namespace: namespaceOf(flags),
      backend: backendOf(flags),
      command,
      signal,
      onEvent: event => void tell(event),
      ...(name !== undefined &&
        name !== '' && { plugin: { name, ...(version !== undefined && { version }) } }),
    })
    return exitCode.ok

    /** JSON lines go to stdout; the program has stdout, too, so texts for people go to stderr. */
    async function tell(event: PluginEvent): Promise<void> {
      if (wantsJson(flags)) return print(JSON.stringify(describe(event)))
      const { kind, ...rest } = describe(event)
      const fields = Object.entries(rest).map(([key, value]) => `${key} ${String(value)}`)
      complain(`plugin ${String(kind)}: ${fields.join(', ')}`)
    }
  },
}

function describe({ error, ...event }: PluginEvent): Record<string, unknown> {
  return error === undefined ? event : { ...event, error: messageOf(error) }
}
