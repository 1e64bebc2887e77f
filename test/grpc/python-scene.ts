// A node, and `cairn plugin run` beside it with a Python plugin that writes down what it handles (recording.py).

import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'

import type { Test } from 'tap'

import type { AnyActorDefinition } from '../../src/actor/definition.js'
import { embedded } from '../../src/backend/embedded.js'
import { startNode } from '../../src/runtime/start-node.js'
import { run } from '../multinode/harness.js'
import { python, pythonEnvironment } from '../support/python.js'
import { until } from '../support/wait.js'

const namespace = 'plugins'

/** A node, and `cairn plugin run` beside it on the same directory, with a Python plugin. */
export async function pythonScene(
  t: Test,
  actors: readonly AnyActorDefinition[] = [],
  more: NodeJS.ProcessEnv = {},
) {
  const dir = t.testdir()
  const record = `${dir}/record`
  const env = { ...pythonEnvironment(`${dir}/code`), RECORD: record, ...more }
  const node = await startNode({
    namespace,
    store: embedded({ dir: `${dir}/data` }),
    actors,
  })
  t.teardown(() => node.close())
  const start = () => {
    const place = ['--ns', namespace, '--embedded', `${dir}/data`, '--json']
    const args = ['dist/cli/main.js', 'plugin', 'run', ...place, '--']
    const parent = run([...args, python, 'test/grpc/recording.py'], env)
    t.teardown(() => parent.child.kill('SIGKILL'))
    const events: Record<string, unknown>[] = []
    createInterface({ input: parent.child.stdout! }).on('line', line =>
      events.push(JSON.parse(line) as Record<string, unknown>),
    )
    const count = (kind: string) => events.filter(event => event['kind'] === kind).length
    return {
      ...parent,
      events,
      count,
      pid: () => Number(events.findLast(event => event['kind'] === 'started')?.['pid']),
      registered: (times: number) =>
        until(() => count('registered') >= times, {
          describe: `it registers for time ${times}: ${parent.stderr()}`,
        }),
    }
  }
  const lines = async (kind: string) => {
    const text = await readFile(record, 'utf8').catch(() => '')
    return text
      .split('\n')
      .slice(0, -1)
      .map(line => line.split(' '))
      .filter(([found]) => found === kind)
      .map(([, id, hint]) => ({ id: id!, isRepeat: hint === 'repeat' }))
  }
  return { node, start, lines }
}
