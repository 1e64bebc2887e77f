// cairn bench: measures Cairn on this machine, against what a NATS server can do.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { CairnError } from '../model/errors.js'
import { exitCode } from '../program/exit-codes.js'
import { isSet, natsFlags } from '../program/flags.js'
import { type CliCommand, positionals, refuseFlags, wantsJson } from './command.js'

/** A package of its own: who runs nodes does not need it. */
const packageName = '@cairn-es/bench'

const switches = ['quick', 'list', 'sync-always', 'growth'] as const
const values = ['only', 'nats', 'replicas'] as const

export const bench: CliCommand = {
  usage: 'bench [--quick] [--only NAMES] [--list] [--results DIR]',
  isLive: true,
  flags: {
    only: { type: 'string' },
    quick: { type: 'boolean' },
    list: { type: 'boolean' },
    growth: { type: 'boolean' },
    results: { type: 'string' },
    'sync-always': { type: 'boolean' },
    replicas: { type: 'string' },
  },
  help: `  --quick            shorter runs, of the main benchmarks only
  --only NAMES       only these, separated by commas
  --growth           instead: the cost of work while actors, events, nodes and namespaces grow
  --list             name the benchmarks and say what each measures
  --results DIR      directory for the results (default: cairn-bench)
  --sync-always      a server of its own that fsyncs before every acknowledgement
  --replicas N       1, or 3 copies of every stream (default: 1)
  With --nats it measures on your servers, in namespaces bench-… that it removes again; without,
  on a nats-server of its own, found on the PATH or downloaded.
`,
  async run(flags, signal) {
    positionals(flags, [])
    refuseFlags(
      flags,
      ['ns', ...natsFlags.filter(name => name !== 'nats'), 'embedded'],
      'the bench has its own namespaces. Leave it out; a login is part of --nats.',
    )
    const results = flags.values['results'] ?? 'cairn-bench'
    const args = [
      findProgram(),
      ...switches.filter(name => isSet(flags, name)).map(name => `--${name}`),
      ...(wantsJson(flags) ? ['--json'] : []),
      ...values.flatMap(name => {
        const value = flags.values[name]
        return value === undefined ? [] : [`--${name}=${String(value)}`]
      }),
      `--results=${String(results)}`,
    ]
    const child = spawn(process.execPath, args, { stdio: 'inherit' })
    const stop = () => child.kill('SIGTERM')
    signal.addEventListener('abort', stop, { once: true })
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? exitCode.failed
  },
}

/**
 * The program runs in a process of its own, so that the command line is not part of what it measures.
 * Throws `invalid-option` if the package is not installed.
 */
function findProgram(): string {
  try {
    return fileURLToPath(import.meta.resolve(`${packageName}/main.mjs`))
  } catch (cause) {
    throw new CairnError(
      'invalid-option',
      `The bench is the package ${packageName}, which is not installed: npm install ${packageName}.`,
      { cause },
    )
  }
}
