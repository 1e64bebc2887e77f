// cairn completion: the script that makes a shell complete the command line.

import { exitCode } from '../program/exit-codes.js'
import { commonFlags } from '../program/flags.js'
import { type CliCommand, type CommandTable, positionals, verbOf } from './command.js'
import {
  bashScript,
  type Completable,
  fishScript,
  zshScript,
} from './completion-scripts.js'
import { print } from './output.js'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const
const shells = Object.keys(scripts) as (keyof typeof scripts)[]

export const completion: CliCommand = {
  usage: 'completion bash|zsh|fish',
  flags: {},
  verbs: shells,
  help: `  bash               source <(cairn completion bash), in ~/.bashrc
  zsh                source <(cairn completion zsh), in ~/.zshrc after compinit
  fish               cairn completion fish | source, in ~/.config/fish/config.fish

`,
  async run(flags, _signal, _progress, table) {
    const given = positionals(flags, ['bash|zsh|fish'])['bash|zsh|fish']
    const shell = verbOf(given, shells)
    const commands = await Promise.all(table.names.map(name => completable(name, table)))
    await print(scripts[shell](commands).trimEnd())
    return exitCode.ok
  },
}

async function completable(
  name: string,
  { load, summaryOf }: CommandTable,
): Promise<Completable> {
  const { flags, verbs = [], isProgram } = (await load(name))!
  const all = {
    ...flags,
    ...commonFlags,
    ...(isProgram !== true && { json: { type: 'boolean' } }),
  }
  return {
    name,
    summary: summaryOf(name),
    verbs,
    flags: Object.entries(all).map(([flag, { type }]) => ({
      name: flag,
      takesValue: type === 'string',
    })),
  }
}
