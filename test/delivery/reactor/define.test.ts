// Invalid reactor definitions are rejected with a remedy.

import t from 'tap'

import { defineTopic } from '../../../src/model/topic.js'
import { defineReactor, isReactor } from '../../../src/delivery/reactor/define-reactor.js'

const on = defineTopic('trips.completed')
const spec = { name: 'pricing', on, handle() {} }

const wrong: Readonly<Record<string, readonly [change: object, message: RegExp]>> = {
  'a name with a space': [{ name: 'a b' }, /name of a reactor is "a b".*use 1 to 63/],
  'no name': [{ name: undefined }, /name of a reactor is undefined/],
  'no topic': [{ on: [] }, /reads no topic: pass at least one as on/],
  'a topic twice': [{ on: [on, on] }, /names a topic twice.*name each topic once/],
  'no handler': [{ handle: 'later' }, /handle of reactor pricing is "later".*a function/],
  'no place for messages': [{ openMax: 0 }, /openMax of reactor pricing is 0/],
  'endlessly many': [{ openMax: Infinity }, /openMax .* is Infinity: use a number/],
  'no time': [{ timeout: 0 }, /timeout of reactor pricing/],
  'more time than timers can': [{ timeout: 2 ** 31 }, /use milliseconds from 1 to 2\^31/],
  'middleware that is none': [{ use: ['log'] }, /use of reactor pricing.*functions/],
  'one middleware without a list': [{ use: () => {} }, /must be a list of functions/],
  'no attempts': [{ retry: { attempts: 0 } }, /reactor pricing/],
}

for (const [what, [change, message]] of Object.entries(wrong))
  void t.test(`a reactor with ${what} is rejected`, async t => {
    t.throws(() => defineReactor({ ...spec, ...change }), {
      code: 'invalid-definition',
      message,
    })
  })

void t.test('a reactor without a timeout is valid', async t => {
  t.ok(isReactor(defineReactor({ ...spec, timeout: Infinity })))
  for (const other of [undefined, null, spec, on]) t.notOk(isReactor(other))
})
