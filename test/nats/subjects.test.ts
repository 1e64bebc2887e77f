// The subject grammar is injective and reversible, and never yields a wildcard.

import t from 'tap'

import { partitionOf } from '../../src/model/partition.js'
import {
  decodeToken,
  encodeToken,
  logStream,
  logSubject,
  logSubjects,
  logSubjectsOfType,
  noticeSubjects,
  parseSubject,
} from '../../src/nats/subjects.js'
import { randomOf } from '../jetstream/nodes.js'

/** Ids that other escaping schemes confuse with each other. */
const nasty =
  `a.b a_b a/b a%2Eb a%2eb a%b a%25b ab A a a-b * > . .. % %% %2A %2a %3E $JS.API
_INBOX \\ | ' " ( ) ! ~ + é e\u0301 É ß ss 東京 🦊 İ ı undefined null 0 00 -0 1e3 __proto__
constructor - _ \u{10FFFF} \u200B \u007f`
    .split(/[ \n]/)
    .concat(['a b', ' ', '\t', '\n', '\r\n', '\0', '\u2028', '\uFEFF'])
const alphabet = Array.from('ab.*> %_-/~!\'()2EeA0\t\n\r\0é東🦊$#@:;,?&=+"\\|^`{}[]<>')

function randomText(random: () => number): string {
  const length = 1 + Math.floor(random() * 12)
  return Array.from(
    { length },
    () => alphabet[Math.floor(random() * alphabet.length)]!,
  ).join('')
}

const random = randomOf(20_260_101)
const ids = [
  ...new Set([...nasty, ...Array.from({ length: 20_000 }, () => randomText(random))]),
]

await t.test(
  'different ids have different tokens, and servers accept every token',
  async t => {
    const tokens = new Map<string, string>()
    const wrong: string[] = []
    for (const id of ids) {
      const token = encodeToken(id)
      if (tokens.has(token))
        wrong.push(`${id} and ${tokens.get(token)!} are both ${token}`)
      tokens.set(token, id)
      if (!/^[\x21-\x7e]+$/.test(token) || /[.*>]/.test(token))
        wrong.push(`${id}: ${token}`)
      if (decodeToken(token) !== id) wrong.push(`${token} is not read back as ${id}`)
    }
    t.strictSame(wrong, [])
    t.ok(tokens.size > 15_000, `${tokens.size} ids`)
  },
)

await t.test('a token that encodeToken cannot write is not decoded', async t => {
  // Each of these would be a second token for an id.
  const others = [
    '%61',
    'a%2db',
    '%2e',
    '%2a',
    'a%',
    '%zz',
    '%C3',
    '%ED%A0%80',
    '',
    'a~%7E',
  ]
  for (const token of others) t.equal(decodeToken(token), undefined, token)
})

await t.test('a subject is parsed into the actor that it was made from', async t => {
  const wrong: string[] = []
  for (const [i, id] of ids.entries()) {
    const actor = { type: ['account', 'A', 'Zz_9-'][i % 3]!, id }
    const partitions = [1, 16, 7][i % 3]!
    const subject = logSubject('t-1', actor, partitions)
    const parsed = parseSubject(subject)
    const same =
      parsed?.namespace === 't-1' &&
      parsed.partition === String(partitionOf(actor, partitions)) &&
      JSON.stringify(parsed.actor) === JSON.stringify(actor)
    const stored = parseSubject(subject.replace('.log.', '.stored.'))
    if (!same || stored?.actor.id !== id)
      wrong.push(`${subject}: ${JSON.stringify(parsed)}`)
  }
  t.strictSame(wrong, [])
})

await t.test('a subject outside the grammar is not parsed', async t => {
  const foreign = [
    '',
    'cairn',
    'cairn.ns.log',
    'cairn.ns.log.0.account',
    'cairn.ns.log.0.account.alice.more',
    'cairn.ns.inbox.0.account.alice',
    'cairn.ns.due.0.account.alice',
    'other.ns.log.0.account.alice',
    'Cairn.ns.log.0.account.alice',
    'cairn.ns.log.0.account.',
    'cairn.ns.log.0..alice',
    'cairn.ns.log.0.9account.alice',
    'cairn.ns.log.0.acc%20ount.alice',
    'cairn.ns.log.0.account.%zz',
    'cairn.ns.log.0.account.a%2db',
    `cairn.ns.log.0.account.${'x'.repeat(257)}`,
  ]
  for (const subject of foreign) t.equal(parseSubject(subject), undefined, subject)
})

await t.test('no filter of one namespace matches a subject of another', async t => {
  const names = ['a', 'ab', 'a-b', 'a-', 'b', '0']
  const matches = (filter: string, subject: string) => {
    const [wanted, found] = [filter.split('.'), subject.split('.')]
    if (wanted.at(-1) === '>')
      return (
        found.length >= wanted.length &&
        wanted.slice(0, -1).every((token, i) => token === '*' || token === found[i])
      )
    return (
      found.length === wanted.length &&
      wanted.every((token, i) => token === '*' || token === found[i])
    )
  }
  const actor = { type: 'account', id: 'cairn.b.log' }
  for (const one of names)
    for (const other of names) {
      const subject = logSubject(other, actor, 16)
      const notice = subject.replace('.log.', '.stored.')
      const same = one === other
      t.equal(matches(logSubjects(one), subject), same, `${one} matches ${other}`)
      t.equal(matches(logSubjectsOfType(one, 'account'), subject), same)
      t.equal(matches(noticeSubjects(one), notice), same)
      t.equal(matches(noticeSubjects(one, 'account'), notice), same)
      t.notOk(matches(logSubjects(one), notice), 'a notice is not stored')
      t.equal(logStream(one) === logStream(other), same)
    }
  t.notOk(matches(logSubjectsOfType('a', 'acc'), logSubject('a', actor, 16)))
})
