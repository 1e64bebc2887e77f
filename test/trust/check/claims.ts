// The errors that claim that nothing was stored, with the sentences of the documentation that make the claims.
//
// Not here are the two codes after which the documentation says that the outcome is unknown, and every error that is
// not one of Cairn's.

import type { Invoked } from '../history.js'

/** docs/errors.md, after the two exceptions. It is about commands and appends, thus about transactions of them too. */
const everyOther = 'After every other error of an append or a command: nothing.'

/** By code: the sentence that is most exact about it. */
const claims: Readonly<Record<string, string>> = {
  aborted:
    'After `store-unreachable`, `contention`, `queue-full`, `aborted` and `storage-failed` nothing was stored.',
  'actor-parked': '`evolve` throws … it has failed: parked …; nothing is stored',
  'actor-paused': 'An operator has paused the actor; nothing was stored.',
  'actor-restarting': 'Nothing was stored.',
  'commit-too-large': 'Invalid input … is reported before anything is written.',
  contention: 'other writers were faster ten times … none; nothing is stored',
  'deadline-exceeded': 'Nothing was stored, and the command is not started later.',
  'decide-failed': '`decide` … throws … nothing is stored',
  'foreign-directory': everyOther,
  'foreign-stream': everyOther,
  'invalid-actor-id': everyOther,
  'invalid-actor-type': everyOther,
  'invalid-command': everyOther,
  'invalid-data': 'an event, reply or detail is not plain data … none; nothing is stored',
  'invalid-definition': everyOther,
  'invalid-event':
    'an event, reply or detail is not plain data … none; nothing is stored',
  'invalid-message': 'Data that do not conform are rejected …, and nothing is stored.',
  'invalid-namespace': everyOther,
  'invalid-option': 'Invalid input … is reported before anything is written.',
  'invalid-timer': everyOther,
  'mailbox-full':
    'A full mailbox rejects with `mailbox-full` …; handling has not begun in either case.',
  'no-jetstream': everyOther,
  'no-node': 'no live node hosts the type … nothing was stored',
  'node-closed': 'This node is closing and accepts no more commands.',
  'not-owner': everyOther,
  'queue-full':
    'a node with 100,000 open commands [rejects] with `queue-full`; handling has not begun in either case.',
  'remote-failure': everyOther,
  'server-too-old': everyOther,
  'storage-failed':
    'After `store-unreachable`, `contention`, `queue-full`, `aborted` and `storage-failed` nothing was stored.',
  'store-closed': everyOther,
  'store-unreachable': 'the store is unreachable … nothing was stored',
  unauthorized: everyOther,
  'unknown-actor-type': everyOther,
  'unknown-command': 'the command is unknown … none',
}

/** What the documentation says about published messages by itself; the general sentence is not about them. */
const claimedForMessages = ['invalid-message', 'invalid-option', 'store-unreachable']

/** The sentence that claims that a call that ended with this code has stored nothing. */
export function claimOf(
  call: Invoked['call'],
  code: string | undefined,
): string | undefined {
  if (code === undefined || !Object.hasOwn(claims, code)) return undefined
  if (call === 'publish' && !claimedForMessages.includes(code)) return undefined
  return claims[code]
}
