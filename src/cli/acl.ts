// cairn acl: prints the configuration of nats-server that separates namespaces.

import { checkNamespace } from '../model/address.js'
import { defined } from '../model/defined.js'
import { aclOf, type Quota, quotaMinimum } from '../nats/acl.js'
import { roles } from '../nats/permissions.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import {
  countFlag,
  isSet,
  namespaceOf,
  natsFlags,
  type ParsedFlags,
  textFlag,
} from '../program/flags.js'
import {
  type CliCommand,
  positionals,
  refuseFlags,
  verbOf,
  wantsJson,
} from './command.js'
import { print } from './output.js'
import { toJson } from '../codec/json.js'

const quotaFlags = ['max-bytes', 'max-streams', 'max-consumers'] as const

export const acl: CliCommand = {
  usage:
    'acl --ns NS[,NS…] [--role ROLE] [--accounts [--max-bytes SIZE] [--max-streams N] [--max-consumers N]]',
  flags: {
    role: { type: 'string' },
    accounts: { type: 'boolean' },
    'max-bytes': { type: 'string' },
    'max-streams': { type: 'string' },
    'max-consumers': { type: 'string' },
  },
  help: `  --role ROLE        only the user of this role, of each namespace: node does all that a node does;
                     operator also creates, repairs and removes; reader only reads
  --accounts         an account for each namespace: a wall, which one account is not
  --max-bytes SIZE   what an account may store, such as 500MB or 2TB (default 10GB)
  --max-streams N    its streams (default 10; a namespace has 7)
  --max-consumers N  consumers of a stream (default and least: 4096)

Passwords are variables of the server's environment, such as $TENANT_A_PASSWORD. Nothing is connected to.
`,
  async run(flags) {
    positionals(flags, [])
    refuseFlags(flags, [...natsFlags, 'embedded'], 'no server is asked. Leave it out.')
    const namespaces = namespaceOf(flags)
      .split(',')
      .map(name => checkNamespace(name.trim()))
    const role = textFlag(flags, 'role')
    const accounts = isSet(flags, 'accounts')
    if (!accounts)
      refuseFlags(
        flags,
        quotaFlags,
        'only accounts have limits. Add --accounts, or leave it out.',
      )
    const config = aclOf([...new Set(namespaces)], {
      accounts,
      quota: quotaOf(flags),
      ...(role !== undefined && { roles: [verbOf(role, roles)] }),
    })
    await print(wantsJson(flags) ? toJson({ config }) : config.trimEnd())
    return exitCode.ok
  },
}

function quotaOf(flags: ParsedFlags): Quota {
  const bytes = textFlag(flags, 'max-bytes')
  if (bytes !== undefined && !/^[1-9]\d{0,14}(?:[KMGT]i?B?)?$/i.test(bytes))
    throw new UsageError(
      `--max-bytes is ${JSON.stringify(bytes)}: use a number of bytes, or one with a unit, such as 500MB or 2TB.`,
    )
  const streams = atLeast(flags, 'max-streams', quotaMinimum.streams)
  const consumers = atLeast(flags, 'max-consumers', quotaMinimum.consumers)
  return defined({ bytes, streams, consumers })
}

function atLeast(flags: ParsedFlags, name: string, least: number): number | undefined {
  const count = countFlag(flags, name)
  if (count === undefined || count >= least) return count
  throw new UsageError(`--${name} is ${count}: a namespace needs ${least}.`)
}
