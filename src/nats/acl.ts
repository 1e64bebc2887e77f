// The configuration of nats-server that separates namespaces: users with permissions, in one account or in an account
// for each namespace. Passwords are variables, which the server takes from its environment.

import { CairnError } from '../model/errors.js'
import { logConsumersMax } from './log-stream.js'
import {
  type Grant,
  permissionsOf,
  type Role,
  roles,
  streamCount,
} from './permissions.js'

export interface AclOptions {
  /** Default: all of them. */
  readonly roles?: readonly Role[]
  /** An account for each namespace. Default: one account for all. */
  readonly accounts?: boolean
  /** Limits of each account. */
  readonly quota?: Quota
}

/** What an account may use, as nats-server's `jetstream` limits. */
export interface Quota {
  /** A number of bytes, or with a unit: `10GB`. */
  readonly bytes?: string
  readonly streams?: number
  /** Of each stream. */
  readonly consumers?: number
}

/** Room for a stream that is restored under another name, and for the streams of later versions. */
const spareStreams = 3
const quotaDefault = {
  bytes: '10GB',
  streams: streamCount() + spareStreams,
  consumers: logConsumersMax,
}
/** With less, the server refuses to create a namespace. */
export const quotaMinimum = { streams: streamCount(), consumers: logConsumersMax }

interface User {
  readonly name: string
  /** The variable that has its password. */
  readonly variable: string
  readonly namespace: string
  readonly role: Role
}

/** The configuration for these namespaces. Throws `invalid-option` if two users would have one password. */
export function aclOf(namespaces: readonly string[], options: AclOptions = {}): string {
  const { roles: wanted = roles, accounts = false, quota = {} } = options
  const users = namespaces.map(namespace => wanted.map(role => userOf(namespace, role)))
  checkVariables(users.flat())
  const lines = accounts
    ? block(
        'accounts',
        users.flatMap(ofOne => accountLines(ofOne, { ...quotaDefault, ...quota })),
      )
    : block(
        'authorization',
        list(
          'users',
          users.flat().flatMap(user => userLines(user, false)),
        ),
      )
  return `${lines.join('\n')}\n`
}

function userOf(namespace: string, role: Role): User {
  const upper = namespace.toUpperCase().replaceAll('-', '_')
  // A variable of the environment cannot begin with a digit.
  const prefix = /^\d/.test(upper) ? `_${upper}` : upper
  return role === 'node'
    ? { namespace, role, name: namespace, variable: `${prefix}_PASSWORD` }
    : {
        namespace,
        role,
        // No namespace contains a dot.
        name: `${namespace}.${role}`,
        variable: `${prefix}_${role.toUpperCase()}_PASSWORD`,
      }
}

function checkVariables(users: readonly User[]): void {
  const byVariable = new Map<string, User>()
  for (const user of users) {
    const other = byVariable.get(user.variable)
    if (other !== undefined)
      throw new CairnError(
        'invalid-option',
        `Users ${other.name} and ${user.name} would both have the password $${user.variable}: rename one of the namespaces.`,
        { details: { users: [other.name, user.name] } },
      )
    byVariable.set(user.variable, user)
  }
}

function accountLines(users: readonly User[], quota: Required<Quota>): string[] {
  const { bytes, streams, consumers } = quota
  const limits = `max_mem: 0, max_file: ${bytes}, max_streams: ${streams}, max_consumers: ${consumers}`
  return block(JSON.stringify(users[0]!.namespace), [
    `jetstream: { ${limits} }`,
    ...list(
      'users',
      users.flatMap(user => userLines(user, true)),
    ),
  ])
}

function userLines(
  { name, variable, namespace, role }: User,
  hasAccount: boolean,
): string[] {
  const { publish, subscribe } = permissionsOf(namespace, role, hasAccount)
  return [
    '{',
    ...indented([
      `user: ${JSON.stringify(name)}`,
      `password: $${variable}`,
      ...block('permissions:', [
        ...block('publish:', list('allow', publish.flatMap(grantLines))),
        ...block('subscribe:', list('allow', subscribe.flatMap(grantLines))),
      ]),
    ]),
    '}',
  ]
}

function grantLines({ why, subjects }: Grant): string[] {
  return [`# ${why}`, ...subjects.map(subject => JSON.stringify(subject))]
}

function block(name: string, lines: readonly string[]): string[] {
  return [`${name} {`, ...indented(lines), '}']
}

function list(name: string, lines: readonly string[]): string[] {
  return [`${name}: [`, ...indented(lines), ']']
}

function indented(lines: readonly string[]): string[] {
  return lines.map(line => `  ${line}`)
}
