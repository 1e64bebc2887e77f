// cairn ensure: creates what a config file declares, and reports what differs from it.

import { exitCode } from '../program/exit-codes.js'
import { isSet, natsFlags } from '../program/flags.js'
import { type CliCommand, positionals, refuseFlags } from './command.js'
import { complain, printRow } from './output.js'

export const ensure: CliCommand = {
  usage: 'ensure [FILE] [--dry-run]',
  flags: { 'dry-run': { type: 'boolean' } },
  help: `  --dry-run          change nothing, and report what is missing and what differs
`,
  async run(flags, signal) {
    const { FILE } = positionals(flags, [], ['FILE'])
    refuseFlags(
      flags,
      ['ns', ...natsFlags, 'embedded'],
      'the file has the namespaces and the brokers. Leave it out.',
    )
    const dryRun = isSet(flags, 'dry-run')
    const { loadConfig } = await import('../program/config/load.js')
    const { ensureDeclared } = await import('../program/config/ensure.js')
    const config = await loadConfig(FILE)
    let isAsDeclared = true
    let count = 0
    for await (const report of ensureDeclared(config, { dryRun, signal })) {
      const { kind, name, namespace, broker, state, differences } = report
      count++
      isAsDeclared &&= state !== 'missing' && state !== 'differs'
      const about =
        differences.length === 0 ? state : `${state}: ${differences.join('; ')}`
      const line = `${kind}  ${name}  of ${namespace} on ${broker}  ${about}`
      await printRow(flags, report, line)
    }
    if (count === 0) complain('The file declares no streams and no consumers.')
    return isAsDeclared ? exitCode.ok : exitCode.failed
  },
}
