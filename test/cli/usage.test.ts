// Mistakes in a command line of `cairn`: each is one error with the value and the remedy, and stores
// nothing.

import { readdir } from 'node:fs/promises'
import t from 'tap'

import { embedded } from '../../src/backend/embedded.js'
import { cairn } from '../multinode/harness.js'
import { isRefused } from './support.js'

const dir = t.testdir()
const ns = ['--ns', 'usage']
const here = [...ns, '--embedded', dir]
const actors = (name: string) => ['--actors', `test/support/actors/${name}.mjs`]

await using open = await embedded({ dir }).open({ namespace: 'usage', nodeId: 'test' })
await open.store.append({ type: 'account', id: 'alice' }, [
  { type: 'deposited', data: { amount: 1 } },
])
const contents = (await readdir(dir)).toSorted()

type Mistake = readonly [
  what: string,
  code: number,
  says: RegExp,
  args: readonly string[],
]

const mistakes: readonly Mistake[] = [
  ['an unknown command', 2, /no command "wat"; it knows ask, send,/, ['wat', ...here]],
  ['a misspelt command', 2, /no command "raed".* Did you mean read\?/, ['raed', ...here]],
  [
    'the beginning of a command',
    2,
    /no command "statu".* Did you mean status\?/,
    ['statu', ...here],
  ],
  ['a misspelt flag alone', 2, /Did you mean --version\?/, ['--verson']],
  [
    'a word that resembles none',
    2,
    /"tcsh" is not known here: use bash, zsh, fish\.$/,
    ['completion', 'tcsh'],
  ],
  ['no verb', 2, /^cairn: run is missing\./, ['plugin', ...here]],
  [
    'too much where JSON has no place',
    2,
    /"x" is one argument too many\.$/,
    ['nodes', 'x', ...here],
  ],
  ['--json for a program', 2, /"--json" is not a flag here/, ['node', '--json', ...here]],
  ['a misspelt verb', 2, /use list, .* Did you mean list\?/, ['dlq', 'lst', ...here]],
  ['help for an unknown command', 2, /no command "wat"/, ['help', 'wat']],
  ['no namespace', 2, /pass --ns NS/, ['read', 'account/a', '--embedded', dir]],
  [
    'an empty namespace',
    2,
    /^cairn: "" is not a namespace/,
    ['read', 'account/a', '--ns=', '--embedded', dir],
  ],
  [
    'a namespace in capitals',
    2,
    /"UP" is not a namespace: use/,
    ['read', 'account/a', '--ns', 'UP', '--embedded', dir],
  ],
  [
    'a namespace with a dot',
    2,
    /"a\.b" is not a namespace: use/,
    ['read', 'account/a', '--ns', 'a.b', '--embedded', dir],
  ],
  [
    'a namespace with a wildcard',
    2,
    /"\*" is not a namespace: use/,
    ['read', 'account/a', '--ns', '*', '--embedded', dir],
  ],
  [
    'a flag without its value',
    2,
    /--ns needs a value: write --ns VALUE/,
    ['read', 'account/a', '--ns'],
  ],
  ['no address', 2, /TYPE\/ID is missing/, ['read', ...here]],
  [
    'an address without a slash',
    2,
    /"account" is not an actor address: write TYPE\/ID/,
    ['read', 'account', ...here],
  ],
  ['an address without an id', 2, /"" is not an actor id/, ['read', 'account/', ...here]],
  [
    'an address without a type',
    2,
    /"" is not an actor type/,
    ['read', '/alice', ...here],
  ],
  [
    'a type that begins with a digit',
    2,
    /"1a" is not an actor type: use/,
    ['append', '1a/x', 'noted', ...here],
  ],
  [
    'a type with a dot',
    2,
    /"a\.b" is not an actor type: use/,
    ['ask', 'a.b/x', 'go', '--demo', ...here],
  ],
  [
    'a type to filter by that is none',
    2,
    /"a\.b" is not an actor type/,
    ['tail', '--type', 'a.b', ...here],
  ],
  [
    'a type to list that is none',
    2,
    /"a\.b" is not an actor type/,
    ['actors', '--type', 'a.b', ...here],
  ],
  [
    'an id of 257 bytes',
    2,
    /257 bytes of UTF-8, and the limit is 256/,
    ['append', `account/${'x'.repeat(257)}`, 'noted', ...here],
  ],
  [
    'an id of 258 bytes in 129 characters',
    2,
    /258 bytes of UTF-8, and the limit is 256/,
    ['append', `account/${'é'.repeat(129)}`, 'noted', ...here],
  ],
  ['no event', 2, /EVENT is missing/, ['append', 'account/alice', ...here]],
  [
    'an event with an empty type',
    2,
    /An event needs a type/,
    ['append', 'account/alice', '', ...here],
  ],
  [
    'an event type of two lines',
    2,
    /"a\\nb" is not an event type: use/,
    ['append', 'account/alice', 'a\nb', ...here],
  ],
  [
    'an event type of 257 bytes',
    2,
    /is not an event type: use 1 to 256 bytes/,
    ['append', 'account/alice', 'x'.repeat(257), ...here],
  ],
  [
    'data that is not JSON, to append',
    2,
    /"\{amount:1\}" is not JSON .*quotes: '\{"amount":10\}'/,
    ['append', 'account/alice', 'noted', '{amount:1}', ...here],
  ],
  [
    'data that is not JSON, to ask',
    2,
    /"\{" is not JSON/,
    ['ask', 'account/alice', 'deposit', '{', '--demo', ...here],
  ],
  [
    'an argument too many',
    2,
    /"again" is one argument too many/,
    ['read', 'account/alice', 'again', ...here],
  ],
  [
    'JSON that the shell has split',
    2,
    /"10\}" is one argument too many\. JSON needs quotes/,
    ['ask', 'account/alice', 'deposit', '{"amount":', '10}', '--demo', ...here],
  ],
  [
    'no actor command',
    2,
    /COMMAND is missing/,
    ['ask', 'account/alice', '--demo', ...here],
  ],
  [
    'an empty actor command',
    2,
    /"" is not a command type/,
    ['ask', 'account/alice', '', '--demo', ...here],
  ],
  [
    'an empty command id',
    2,
    /"" is not a command id: use/,
    ['ask', 'account/alice', 'balance', '--command-id', '', '--demo', ...here],
  ],
  ['no command to send', 2, /COMMAND is missing/, ['send', 'account/alice', ...here]],
  [
    'an empty command to send',
    2,
    /"" is not a command type/,
    ['send', 'account/alice', '', ...here],
  ],
  [
    'an empty command id to send',
    2,
    /"" is not a command id: use/,
    ['send', 'account/alice', 'deposit', '--command-id', '', ...here],
  ],
  [
    'data that is not JSON, to send',
    2,
    /"\{" is not JSON/,
    ['send', 'account/alice', 'deposit', '{', ...here],
  ],
  [
    'an id of 257 bytes to send to',
    2,
    /257 bytes of UTF-8, and the limit is 256/,
    ['send', `account/${'x'.repeat(257)}`, 'deposit', ...here],
  ],
  [
    'a command id of 1025 bytes',
    2,
    /is not a command id: use 1 to 1024 bytes/,
    [
      'ask',
      'account/alice',
      'balance',
      '--command-id',
      'x'.repeat(1025),
      '--demo',
      ...here,
    ],
  ],
  [
    'an unknown flag',
    2,
    /"--form" is not a flag here: use --ns, .* Did you mean --from\?/,
    ['read', 'account/alice', '--form', '1', ...here],
  ],
  [
    'a flag of another command',
    2,
    /"--expect" is not a flag here/,
    ['read', 'account/alice', '--expect', '1', ...here],
  ],
  [
    'a value for a flag that takes none',
    2,
    /--json takes no value/,
    ['read', 'account/alice', '--json=yes', ...here],
  ],
  [
    'negative data without a dash in front',
    2,
    /"-5" begins with a dash: write "--" before it/,
    ['append', 'account/alice', 'noted', '-5', ...here],
  ],
  [
    '--from with a word',
    2,
    /--from is "x": use a whole number/,
    ['read', 'account/alice', '--from', 'x', ...here],
  ],
  [
    '--to with a negative number',
    2,
    /--to is "-2": use a whole number/,
    ['read', 'account/alice', '--to', '-2', ...here],
  ],
  [
    '--limit with a fraction',
    2,
    /--limit is "1\.5": use a whole number/,
    ['read', 'account/alice', '--limit', '1.5', ...here],
  ],
  [
    '--limit with an empty value',
    2,
    /--limit is "": use a whole number/,
    ['tail', '--limit=', ...here],
  ],
  [
    '--from after --to',
    2,
    /from is 5 and to is 2/,
    ['read', 'account/alice', '--from', '5', '--to', '2', ...here],
  ],
  [
    '--after with a word',
    2,
    /--after is "now": use a whole number/,
    ['tail', '--after', 'now', ...here],
  ],
  [
    '--after with a number past all bounds',
    2,
    /--after is "99999999999999999999"/,
    ['tail', '--after', '99999999999999999999', ...here],
  ],
  [
    '--expect with a negative number',
    2,
    /--expect is "-1": use a whole number from 0, none, exists or any/,
    ['append', 'account/alice', 'noted', '--expect', '-1', ...here],
  ],
  [
    '--expect with a fraction',
    2,
    /--expect is "1\.0"/,
    ['append', 'account/alice', 'noted', '--expect', '1.0', ...here],
  ],
  [
    '--expect with a word',
    2,
    /--expect is "some": use/,
    ['append', 'account/alice', 'noted', '--expect', 'some', ...here],
  ],
  [
    '--version with a word',
    2,
    /--version is "last": use a whole number/,
    ['state', 'account/alice', '--version', 'last', '--demo', ...here],
  ],
  [
    'a version that does not exist yet',
    1,
    /account\/alice has no version 9: its last is 1/,
    ['state', 'account/alice', '--version', '9', '--demo', ...here],
  ],
  [
    '--fresh with another word',
    2,
    /--fresh is "newest": use local or latest/,
    ['state', 'account/alice', '--fresh', 'newest', '--demo', ...here],
  ],
  [
    '--fresh and --after',
    2,
    /--version, --fresh and --after exclude each other/,
    ['state', 'account/alice', '--fresh', 'local', '--after', '1', '--demo', ...here],
  ],
  [
    'a version that is not reached before the deadline',
    3,
    /Version 9 of account\/alice was not reached.*account\/alice is at version 1/,
    ['state', 'account/alice', '--after', '9', '--timeout', '50', '--demo', ...here],
  ],
  [
    '--timeout with a word',
    2,
    /--timeout is "soon"/,
    ['ask', 'account/alice', 'balance', '--timeout', 'soon', '--demo', ...here],
  ],
  [
    '--timeout 0',
    2,
    /--timeout is "0": use a whole number from 1/,
    ['ask', 'account/alice', 'balance', '--timeout', '0', '--demo', ...here],
  ],
  [
    'both --embedded and --nats',
    2,
    /--embedded needs no server: leave out --nats, or --embedded/,
    ['read', 'account/alice', '--nats', 'nats://127.0.0.1:1', ...here],
  ],
  [
    'both --embedded and --creds',
    2,
    /leave out --creds, or --embedded/,
    ['read', 'account/alice', '--creds', 'x', ...here],
  ],
  [
    'an embedded directory without a name',
    2,
    /needs a directory/,
    ['read', 'account/alice', '--embedded=', ...ns],
  ],
  [
    'a command that the actor does not know',
    1,
    /account knows no command "give"\. It knows deposit, withdraw, balance/,
    ['ask', 'account/alice', 'give', '--demo', ...here],
  ],
  [
    'an actor type that is not hosted here',
    1,
    /no actor type "trap"; it knows account/,
    ['ask', 'trap/t', 'go', '--demo', ...here],
  ],
  [
    'no running node',
    3,
    /No running node of namespace usage serves actor type account .*start one with "node dist\/node\.js/,
    ['ask', 'account/alice', 'balance', ...here],
  ],
  [
    'an actors file that does not exist',
    2,
    /--actors test\/support\/actors\/none\.mjs: the file cannot be read \(ENOENT/,
    ['ask', 'counter/c', 'add', '1', ...actors('none'), ...here],
  ],
  [
    'an actors file that is not a module',
    1,
    /--actors package\.json: the module cannot be loaded/,
    ['ask', 'counter/c', 'add', '1', '--actors', 'package.json', ...here],
  ],
  [
    'an actors file that does not load',
    1,
    /--actors .*broken\.mjs: the module cannot be loaded: .*broken on purpose/,
    ['ask', 'counter/c', 'add', '1', ...actors('broken'), ...here],
  ],
  [
    'an actors file without a definition',
    1,
    /--actors .*empty\.mjs: it exports no definition\. Export what defineActor/,
    ['ask', 'counter/c', 'add', '1', ...actors('empty'), ...here],
  ],
  [
    'two definitions of one type',
    1,
    /"counter" is defined twice: give one of the two another type/,
    [
      'ask',
      'counter/c',
      'add',
      '1',
      ...actors('counter'),
      ...actors('second-counter'),
      ...here,
    ],
  ],
]

await t.test('each mistake is one clear error', async t => {
  // Two at a time: each is a process.
  for (let i = 0; i < mistakes.length; i += 2) {
    const both = mistakes.slice(i, i + 2)
    const results = await Promise.all(both.map(([, , , args]) => cairn(...args)))
    for (const [j, [what, code, says]] of both.entries())
      await t.test(what, async t => isRefused(t, results[j]!, { code, says }))
  }
})

await t.test('none of them has stored anything', async t => {
  t.equal(await open.store.lastPosition(), 1, 'the log is unchanged')
  t.strictSame((await readdir(dir)).toSorted(), contents, 'the directory is unchanged')
})

await t.test('a mistake is answered with the help of its command', async t => {
  const hint = async (...args: string[]) =>
    (await cairn(...args)).stderr.split('\n').find(line => line.startsWith('Try: '))
  t.equal(await hint('read', ...here), 'Try: node dist/cli/main.js help read')
  t.equal(await hint('wat'), 'Try: node dist/cli/main.js help')
})

await t.test('what is not there is named as it was asked for', async t => {
  const says = async (...args: string[]) => (await cairn(...args, ...here)).stderr
  t.match(
    await says('events', '--type', 'none', '--cache', `${dir}/cache.json`),
    /There are no events of type none in this namespace\./,
  )
  t.match(
    await says('messages', '--topic', 'none'),
    /No node has run a reactor on topic none in this namespace yet\./,
  )
  t.match(
    await says('send', 'none/n', 'go'),
    /No node that hosts none has checked it: it waits until one runs\./,
  )
})
