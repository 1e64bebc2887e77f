// Seeded random numbers.

import t from 'tap'

import { randomFrom } from '../../src/testing/random.js'

const draw = (seed: number, name: string) => {
  const random = randomFrom(seed, name)
  return Array.from({ length: 1000 }, random)
}

void t.test('a seed and a name repeat their numbers; others get others', async t => {
  t.strictSame(draw(1, 'a'), draw(1, 'a'))
  t.notSame(draw(1, 'a'), draw(2, 'a'))
  t.notSame(draw(1, 'a'), draw(1, 'b'))
})

void t.test('the numbers lie between 0 and 1, all over', async t => {
  const drawn = draw(7, 'x')
  t.ok(drawn.every(number => number >= 0 && number < 1))
  for (let tenth = 0; tenth < 10; tenth++) {
    const count = drawn.filter(number => Math.floor(number * 10) === tenth).length
    t.ok(count > 50 && count < 150, `${count} in tenth ${tenth}`)
  }
})
