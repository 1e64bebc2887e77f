import t from 'tap'

import { LinkedQueue } from '../../src/model/linked-queue.js'

void t.test('items leave in order, and from anywhere', t => {
  const queue = new LinkedQueue<string>()
  const links = ['a', 'b', 'c', 'd', 'e'].map(item => queue.add(item))
  t.equal(queue.remove(links[2]!), true)
  t.equal(queue.remove(links[2]!), false, 'once')
  t.equal(queue.remove(links[4]!), true)
  queue.add('f')
  t.strictSame(
    [...queue.links()].map(({ item }) => item),
    ['a', 'b', 'd', 'f'],
  )
  t.equal(queue.size, 4)
  for (const link of queue.links()) if (link.item !== 'd') queue.remove(link)
  t.equal([...queue.links()][0]?.item, 'd')
  t.strictSame([queue.shift(), queue.shift(), queue.size], ['d', undefined, 0])
  t.equal(queue.add('g').isQueued, true)
  t.equal(queue.shift(), 'g')
  t.end()
})
