// cairn namespaces: lists, creates and removes namespaces.

import type { Backend } from '../backend/backend.js'
import { checkNamespace } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { backendOf, isSet, type ParsedFlags } from '../program/flags.js'
import { type CliCommand, newCliId, positionals, refuseFlags, verbOf } from './command.js'
import { readMembers } from './members.js'
import { confirmFlags, question } from './confirm.js'
import { printRow } from './output.js'
import type { Progress } from './progress.js'
import { Table } from './table.js'

const verbs = ['list', 'create', 'remove'] as const

export const namespaces: CliCommand = {
  usage: 'namespaces list | create NS | remove NS [--yes] [--dry-run]',
  flags: { ...confirmFlags, 'dry-run': { type: 'boolean' } },
  verbs,
  help: `  --yes              remove without asking for the name
  --dry-run          remove nothing, and say what would be removed
  A namespace is removed only if no node of it runs. Nodes create a missing namespace when they
  start, unless they are told not to (--no-create).
`,
  async run(flags, signal, progress) {
    const given = positionals(flags, ['list|create|remove'], ['NS'])
    const verb = verbOf(given['list|create|remove'], verbs)
    refuseFlags(flags, ['ns'], 'the namespace is an argument. Leave it out.')
    const backend = backendOf(flags)
    if (verb === 'list') return list(flags, backend)
    const namespace = given.NS
    if (namespace === undefined) throw new UsageError(`NS is missing: ${verb} which one?`)
    checkNamespace(namespace)
    return verb === 'create'
      ? create(flags, backend, namespace)
      : remove(flags, backend, namespace, signal, progress)
  },
}

async function list(flags: ParsedFlags, backend: Backend): Promise<number> {
  const table = new Table<{ namespace: string }>(flags, {
    columns: [{ title: 'namespace', text: row => row.namespace }],
    line: row => row.namespace,
    empty: 'There is no namespace yet.',
  })
  for (const namespace of await backend.namespaces!()) await table.row({ namespace })
  await table.end()
  return exitCode.ok
}

async function create(
  flags: ParsedFlags,
  backend: Backend,
  namespace: string,
): Promise<number> {
  await using open = await backend.open({ namespace, nodeId: newCliId() })
  const created = open.isNew === true
  const line = `${namespace} ${created ? 'is created' : 'exists already'}`
  await printRow(flags, { namespace, created }, line)
  return exitCode.ok
}

async function remove(
  flags: ParsedFlags,
  backend: Backend,
  namespace: string,
  signal: AbortSignal,
  progress: Progress,
): Promise<number> {
  let lastPosition: number
  {
    await using open = await backend.open({
      namespace,
      nodeId: newCliId(),
      create: false,
    })
    const members = await readMembers(open, signal)
    if (members.length > 0) throw inUse(namespace, members)
    lastPosition = await open.store.lastPosition({ signal })
  }
  const dryRun = isSet(flags, 'dry-run')
  if (!dryRun) {
    if (!isSet(flags, 'yes')) await confirmName(namespace, lastPosition, signal, progress)
    await backend.remove!(namespace)
  }
  const what = `${namespace} with ${lastPosition} commits`
  await printRow(
    flags,
    { namespace, commits: lastPosition, removed: !dryRun },
    `${what} ${dryRun ? 'would be' : 'is'} removed`,
  )
  return exitCode.ok
}

/** Asks for the name; throws {@link UsageError} where nobody can be asked, or another name is given. */
async function confirmName(
  namespace: string,
  commits: number,
  signal: AbortSignal,
  progress: Progress,
): Promise<void> {
  if (!process.stdin.isTTY)
    throw new UsageError(`remove cannot be undone: pass --yes to remove ${namespace}.`)
  const text = `This removes ${namespace} with ${commits} commits for good. Type its name: `
  const answer = await question(text, progress, signal)
  if (answer.trim() === namespace) return
  throw new UsageError(`${JSON.stringify(answer)} is not its name: nothing was removed.`)
}

function inUse(
  namespace: string,
  members: readonly { readonly id: string }[],
): CairnError {
  const ids = members.map(({ id }) => id)
  return new CairnError(
    'namespace-in-use',
    `Namespace ${namespace} is in use by ${ids.join(', ')}: stop these nodes first. Nothing was removed.`,
    { details: { namespace, nodes: ids } },
  )
}
