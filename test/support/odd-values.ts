// Values that user code may throw, from the plain to the hostile.

import { type Random, randomFrom } from '../../src/testing/random.js'

/** A value to throw. Each call makes it anew, as a promise that was rejected can be handled only once. */
export interface OddValue {
  readonly name: string
  make(): unknown
}

const trap = (): never => {
  throw new Error('the trap was sprung')
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

/** A proxy each of whose traps throws. */
function hostile(target: object): object {
  const traps = Object.getOwnPropertyNames(Reflect).map(name => [name, trap])
  return new Proxy(target, Object.fromEntries(traps) as ProxyHandler<object>)
}

function withGetter(key: string): Error {
  return Object.defineProperty(new Error('a getter'), key, {
    enumerable: true,
    configurable: true,
    get: trap,
  })
}

function cyclic(): Error {
  const error = new Error('a circle', { cause: new Error('its other half') })
  ;(error.cause as Error).cause = error
  return error
}

const loud = {
  toString: trap,
  valueOf: trap,
  toJSON: trap,
  [Symbol.toPrimitive]: trap,
  get [Symbol.toStringTag]() {
    return trap()
  },
}

const makers: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  zero: () => 0,
  'not a number': () => NaN,
  bigint: () => 5n,
  text: () => 'text',
  'no text': () => '',
  'half a character': () => 'a\uD800b',
  symbol: () => Symbol('a symbol'),
  function: () => () => {},
  class: () => Map,
  promise: () => new Promise(() => {}),
  'rejected promise': () => Promise.reject(new Error('nobody awaits this')),
  // oxlint-disable-next-line unicorn/no-thenable -- a thenable is what is tested
  thenable: () => ({ then: trap }),
  'plain object': () => ({ status: 503 }),
  'null prototype': () => Object.assign(Object.create(null) as object, { status: 503 }),
  'loud object': () => loud,
  array: () => [1, [2, [3]]],
  date: () => new Date(NaN),
  proxy: () => new Proxy(new Error('behind a proxy'), {}),
  'revoked proxy': () => revoked(new Error('revoked')),
  'revoked function': () => revoked(() => {}),
  'hostile proxy': () => hostile(new Error('hostile')),
  'frozen error': () => Object.freeze(new Error('frozen')),
  'error without a prototype': () =>
    Object.setPrototypeOf(new Error('bare'), null) as object,
  'own toJSON': () => Object.assign(new Error('to JSON'), { toJSON: trap }),
  'own toString': () => Object.assign(new Error('to text'), { toString: trap }),
  'huge message': () => new Error('x'.repeat(5_000_000)),
  'huge text': () => 'y'.repeat(5_000_000),
  'huge name': () => Object.assign(new Error('named'), { name: 'n'.repeat(100_000) }),
  'name with line ends': () => Object.assign(new Error('named'), { name: 'a\r\nb: c' }),
  'cyclic cause': () => cyclic(),
  'revoked cause': () => new Error('outer', { cause: revoked({}) }),
  'hostile cause': () => new Error('outer', { cause: hostile(new Error('inner')) }),
  'no message of its own': () => new AggregateError([new Error('refused'), 7], ''),
  'hostile list': () => new AggregateError([hostile({})], ''),
  'like ours': () =>
    Object.assign(new Error('not ours'), { name: 'CairnError', code: 'no-node' }),
  'retryable, after nothing': () =>
    Object.assign(new Error('later'), {
      [Symbol.for('cairn.retry')]: 'retryable',
      after: NaN,
    }),
}

const keys = ['name', 'message', 'stack', 'cause', 'code', 'toString', 'toJSON', 'errors']
for (const key of keys) makers[`getter of ${key}`] = () => withGetter(key)

const contents: (() => unknown)[] = [
  () => undefined,
  () => null,
  () => 5,
  () => Symbol('s'),
  () => ({ status: 503 }),
  () => '',
  () => '\uDFFF',
  () => trap,
  () => loud,
  () => revoked({}),
  () => 'z'.repeat(30_000),
]

export const oddValues: readonly OddValue[] = Object.entries(makers).map(
  ([name, make]) => ({ name, make }),
)

/** Errors with odd properties of any combination. */
export function randomOddValues(count: number, seed: number): OddValue[] {
  const random = randomFrom(seed, 'odd values')
  return Array.from({ length: count }, (_, n) => {
    const changes = keys
      .filter(() => random() < 0.4)
      .map(key => [key, pick(random, contents)] as const)
    return {
      name: `random ${n} (seed ${seed}): ${changes.map(([key]) => key).join()}`,
      make() {
        const error = new Error('random')
        // The stack is made when it is read or replaced, from the name and message of then.
        void error.stack
        for (const [key, content] of changes)
          Object.defineProperty(error, key, {
            value: content(),
            configurable: true,
            enumerable: true,
            writable: true,
          })
        return error
      },
    }
  })
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}
