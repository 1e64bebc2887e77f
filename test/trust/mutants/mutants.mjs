// The mutants: one fault each, as a change of a source, and the check that must catch it for the right reason.

import { inTest, inTrust } from './check.mjs'

/** @typedef {import('./check.mjs').Check} Check */

/**
 * @typedef {object} Mutant
 * @property {string} name
 * @property {string} file a source, which is compiled again, or another file
 * @property {string} from occurs once in the file
 * @property {string} to
 * @property {Check} check
 */

/**
 * What unmutated runs with faults violate, as docs/notes/trust-runs.md lists it. A mutant is not caught by these.
 *
 * @type {readonly string[]}
 */
export const knownViolations = ['first-time']

/** @type {readonly Mutant[]} */
export const mutants = [
  {
    name: 'append-expects-nothing-nats',
    file: 'src/nats/publish.ts',
    from: '[expectedHeader, String(expected)],',
    to: '',
    check: inTest(
      'test/jetstream/races.test.ts',
      'A3.4 of two stores that race for the same next version with stale caches and no notices, exactly one wins',
    ),
  },
  {
    name: 'refusal-of-a-resend-is-believed',
    file: 'src/store/event-store/jetstream-append.ts',
    from: 'if (ambiguity === undefined) return',
    to: 'if (unanswered >= 0) return',
    check: inTest(
      'test/jetstream/unclear.test.ts',
      'an append (expected 1) whose answer is lost is recognised although others append after it',
    ),
  },
  {
    name: 'append-expects-nothing-lmdb',
    file: 'src/store/lmdb/log-writer.ts',
    from: 'meetsExpectation(expected, heads[i]!.version)',
    to: 'true',
    check: inTrust('lmdb', 'answers'),
  },
  {
    name: 'guard-is-not-checked',
    file: 'src/store/lmdb/log-writer.ts',
    from: 'version === guardHeads[i]!.version',
    to: 'true',
    check: inTest(
      'test/store/lmdb.test.ts',
      'an actor that is only read is guarded at its version',
    ),
  },
  {
    name: 'answered-before-committed',
    file: 'src/store/lmdb/log-writer.ts',
    from: 'return this.#storeBatch(batch)',
    to: `const early = this.#storeBatch(batch)
            for (const [i, queued] of batch.entries()) queued.resolve(early[i]!)
            return early`,
    check: inTrust('lmdb', 'real-time'),
  },
  {
    name: 'command-ids-are-ignored',
    file: 'src/actor/duplicate-detector.ts',
    from: "if (this.isKnownNew(search, on)) return 'none'",
    to: "return 'none'",
    check: inTrust('nats', 'stored-once'),
  },
  {
    name: 'rejection-from-an-old-state',
    file: 'src/actor/evaluation.ts',
    from: 'return !storesSomething(evaluation.decision)',
    to: 'return evaluation.decision.ok && !storesSomething(evaluation.decision)',
    check: inTest(
      'test/actor/two-hosts.test.ts',
      'a rejection decided on an old state is not returned',
    ),
  },
  {
    name: 'inline-state-lags',
    file: 'src/actor/command-loop.ts',
    from: 'this.#planInlineState(running, state, version, works)',
    to: 'this.#planInlineState(running, folded.state, version, works)',
    check: inTrust('nats', 'inline-states'),
  },
  {
    name: 'latest-read-from-memory',
    file: 'src/model/freshness.ts',
    from: 'return undefined',
    to: 'return 0',
    check: inTrust('lmdb', 'real-time'),
  },
  {
    name: 'deadline-claims-absence',
    file: 'src/cluster/nats.ts',
    from: 'throw notAnsweredInTime(request, timeout)',
    to: "throw new CairnError('store-unreachable', 'nothing was stored')",
    check: inTrust('nats', 'absence', 'line-delay'),
  },
  {
    name: 'lost-answer-claims-absence',
    file: 'src/cluster/nats.ts',
    from: "throw answerLost(request, 'the connection to NATS was lost')",
    to: "throw new CairnError('no-node', 'no node serves it')",
    check: inTest(
      'test/cluster/transport.test.ts',
      'NATS: a lost connection ends the wait with answer-lost',
    ),
  },
  {
    name: 'reconnect-is-swallowed',
    file: 'src/nats/connection.ts',
    from: 'for (const listener of this.#listeners) listener(interruption)',
    to: '',
    check: inTest(
      'test/bus/nats.test.ts',
      'P5 a lost connection is reported, and the cache is unverified afterwards',
    ),
  },
  {
    name: 'gap-is-overlooked',
    file: 'src/bus/nats.ts',
    from: "this.#subscription.interrupted('gap')",
    to: ';',
    check: inTest('test/bus/nats.test.ts', 'a forged position does not hide later gaps'),
  },
  {
    name: 'member-is-silent',
    file: 'src/cluster/nats-membership.ts',
    from: "      this.#publish('here')\n    }\n    if (mayJudge)",
    to: '    }\n    if (mayJudge)',
    check: inTest(
      'test/cluster/membership.test.ts',
      'on NATS, a connected process without heartbeats remains a member until deadAfter',
    ),
  },
  {
    name: 'command-is-removed-first',
    file: 'src/delivery/commands/inbox.ts',
    from: 'const result = await deliverAndAnswer(delivery, ports)',
    to: 'await queue.remove([position]); const result = await deliverAndAnswer(delivery, ports)',
    check: inTrust('nats', 'sends-take-effect', 'hosts-kill-all'),
  },
  {
    name: 'every-time-is-the-first',
    file: 'src/delivery/group/partition-processor.ts',
    from: 'mayBeRepeat: attempt > 1 || position <= maybeHandledUpTo,',
    to: 'mayBeRepeat: false,',
    check: inTrust('nats', 'first-time'),
  },
  {
    name: 'keys-have-no-order',
    file: 'src/delivery/group/partition-processor.ts',
    from: 'if (queue !== undefined) queue.push(record)',
    to: 'if (queue !== undefined);',
    check: inTrust('nats', 'handling-order'),
  },
  {
    name: 'floor-of-another-log',
    file: 'src/delivery/source/marks.ts',
    from: 'marks.length === 0 && last >= position ? position : 0',
    to: 'marks.length === 0 ? position : 0',
    check: inTest(
      'test/delivery/group/group.test.ts',
      'RESUME-2 a source that ends before the floor is read from its first record',
    ),
  },
  {
    name: 'dead-letter-is-lost',
    file: 'src/delivery/dead-letters/dead-letters.ts',
    from: `await dead.put({ key, id, ...encodeDeadLetter(stored) }, { signal, isReserved: true })`,
    to: 'encodeDeadLetter(stored)',
    check: inTrust('nats', 'dead-letters'),
  },
  {
    name: 'replaced-timer-fires',
    file: 'src/actor/superseded-timer.ts',
    from: 'generationOf(firstVersion, i) > generation',
    to: 'false',
    check: inTest(
      'test/actor/timers.test.ts',
      'a firing is valid only while its timer is unchanged',
    ),
  },
  {
    name: 'one-permission-more',
    file: 'src/nats/permissions.ts',
    from: 'subjects: [inbox, ...announced, peers.members],',
    to: "subjects: [inbox, ...announced, peers.members, 'cairn.*.stored.>'],",
    check: inTest(
      'test/jetstream/permissions.test.ts',
      "every access to another's data is refused, and none hangs",
    ),
  },
]
