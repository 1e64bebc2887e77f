// cairn node: runs a node, as the program `node dist/node.js` does.

import { nodeAbout, nodeExits, nodeFlags, nodeFlagsHelp } from '../program/node-flags.js'
import type { CliCommand } from './command.js'

/** The program, beside the command line in the package. It reads its own command line. */
const program = new URL('../node.js', import.meta.url)

export const node: CliCommand = {
  usage: 'node --ns NS [--actors FILE]… [--demo] [--id ID]',
  flags: nodeFlags,
  isProgram: true,
  help: `${nodeAbout}\n${nodeFlagsHelp}`,
  exits: nodeExits,
  async run() {
    process.argv.splice(2, 1)
    await import(program.href)
    return Number(process.exitCode ?? 0)
  },
}
