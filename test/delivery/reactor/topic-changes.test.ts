// A reactor that reads other topics than before continues at its checkpoint, and the change is logged.

import t from 'tap'

import { memory } from '../../../src/backend/memory.js'
import { defineTopic } from '../../../src/model/topic.js'
import { defineReactor } from '../../../src/delivery/reactor/define-reactor.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { takingLog } from '../../support/log.js'
import { until } from '../../support/wait.js'

const [placed, paid, shipped] = ['placed', 'paid', 'shipped'].map(name =>
  defineTopic(name),
)

await t.test('added and removed topics are logged, and nothing else is', async t => {
  const store = memory()
  const handled: unknown[] = []
  const run = async (
    on: NonNullable<typeof placed>[],
    work?: (node: Awaited<ReturnType<typeof startNode>>) => Promise<void>,
  ) => {
    const warnings: [details: object, message: string][] = []
    const warn = (...warning: (typeof warnings)[number]) => void warnings.push(warning)
    const handle = ({ data }: { data: unknown }) => void handled.push(data)
    const billing = defineReactor({ name: 'billing', on, handle })
    const node = await startNode({
      namespace: 'topics',
      store,
      reactors: [billing],
      log: takingLog({ warn }),
    })
    await work?.(node)
    await node.close()
    return warnings
  }
  t.strictSame(await run([placed!, paid!]), [], 'the first time')
  t.strictSame(await run([paid!, placed!]), [], 'in another order')
  const early = async (node: Awaited<ReturnType<typeof startNode>>) => {
    await node.publish(shipped!, 'early')
    await node.publish(paid!, 'first')
    await until(() => handled.includes('first'))
  }
  const [gone, ...others] = await run([paid!], early)
  t.strictSame(others, [])
  t.strictSame(gone![0], { reactor: 'billing', topics: ['placed'] })
  t.match(gone![1], /billing does not read placed any more/)
  const later = async (node: Awaited<ReturnType<typeof startNode>>) => {
    await node.publish(shipped!, 'late')
    await until(() => handled.includes('late'))
  }
  const [added, ...more] = await run([paid!, shipped!], later)
  t.strictSame(more, [])
  t.strictSame(added![0], { reactor: 'billing', topics: ['shipped'] })
  t.match(added![1], /reads shipped from its checkpoint on.*another name begins/)
  t.strictSame(handled, ['first', 'late'])
})
