// cairn ensure: makes what a config file declares, and tells what differs from it.

import { exitCode } from '../program/exit-codes.js'
import { isSet } from '../program/flags.js'
import { type CliCommand, positionals, refuseFlags, wantsJson } from './command.js'
import { print, toJson } from './output.js'

export const ensure: CliCommand = {
  usage: 'ensure [FILE] [--dry-run]',
  summary:
    'make the streams and consumers that a config file declares, and tell what differs',
  flags: { 'dry-run': { type: 'boolean' } },
  help: `  --dry-run          change nothing, and tell what is missing and what differs
`,
  async run(flags, signal) {
    const { FILE } = positionals(flags, ['FILE'], ['FILE'])
    refuseFlags(
      flags,
      ['ns', 'nats', 'creds', 'embedded'],
      'the file has the namespaces and the brokers. Leave it out.',
    )
    const dryRun = isSet(flags, 'dry-run')
    const { loadConfig } = await import('../program/config/load.js')
    const { ensureDeclared } = await import('../program/config/ensure.js')
    const config = await loadConfig(FILE)
    let isAsDeclared = true
    for await (const report of ensureDeclared(config, { dryRun, signal })) {
      const { kind, name, namespace, broker, state, differences } = report
      isAsDeclared &&= state !== 'missing' && state !== 'differs'
      const about =
        differences.length === 0 ? state : `${state}: ${differences.join('; ')}`
      const text = `${kind}  ${name}  of ${namespace} on ${broker}  ${about}`
      await print(wantsJson(flags) ? toJson(report) : text)
    }
    return isAsDeclared ? exitCode.ok : exitCode.failed
  },
}
