// Where the log of a node goes: to stderr by default, to any logger, or nowhere.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

import t from 'tap'

import { memory } from '../../src/backend/memory.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import type { Logger } from '../../src/model/log.js'
import { defineTopic } from '../../src/model/topic.js'
import type { NodeOptions } from '../../src/runtime/options.js'
import { startNode } from '../../src/runtime/start-node.js'
import { bare } from '../support/bare.js'
import { until } from '../support/wait.js'

const topic = defineTopic('t')
const failing = defineReactor({
  name: 'failing',
  on: topic,
  retry: { attempts: 1 },
  handle() {
    throw new Error('smtp down')
  },
})

/** A process whose node stores a dead letter; returns what it writes to stderr. */
async function program(log: string, level: string | undefined): Promise<string> {
  const code = `
    const { defineReactor, defineTopic, memory, startNode } = await import(process.cwd() + '/dist/index.js')
    const topic = defineTopic('t')
    const reactor = defineReactor({ name: 'mailer', on: topic, retry: { attempts: 1 },
      handle() { throw new Error('smtp down') } })
    const node = await startNode({ namespace: 'x', store: memory(), reactors: [reactor]${log} })
    const dead = new Promise(resolve => node.on('dead-letter', resolve))
    await node.publish(topic, 1)
    await dead
    await node.close()`
  const child = spawn(...bare(process.execPath, '--input-type=module', '-e', code), {
    env: { ...process.env, CAIRN_LOG_LEVEL: level },
  })
  const [stderr, [exit]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  if (exit !== 0) throw new Error(stderr)
  return stderr
}

await t.test('warnings and errors go to stderr by default', async t => {
  const lines = (await program('', undefined)).trim().split('\n')
  t.equal(lines.length, 2)
  for (const line of lines)
    t.match(JSON.parse(line), {
      level: 50,
      namespace: 'x',
      reactor: 'mailer',
      error: { message: 'smtp down' },
    })
})

await t.test('log: false and CAIRN_LOG_LEVEL silence them', async t => {
  t.equal(await program(', log: false', undefined), '')
  t.equal(await program('', 'silent'), '')
  t.match(await program('', 'info'), 'node ready')
  await t.rejects(program('', 'loud'), /CAIRN_LOG_LEVEL is "loud": use trace, debug/)
})

const start = (options: Partial<NodeOptions>) =>
  startNode({ namespace: 'x', store: memory(), reactors: [failing], ...options })

/** Publishes a message that becomes a dead letter. */
async function makeDeadLetter(log: Logger): Promise<void> {
  await using node = await start({ log })
  const dead: string[] = []
  node.on('dead-letter', ({ reactor }) => dead.push(reactor))
  await node.publish(topic, 1)
  await until(() => dead.length === 1)
}

function collecting() {
  const lines: { level: string; fields: Record<string, unknown>; message: string }[] = []
  const method = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields: { ...fields }, message })
  const log = {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
  }
  return { lines, log }
}

await t.test('a logger needs four methods', async t => {
  const { lines, log } = collecting()
  await makeDeadLetter(log)
  t.match(
    lines.find(({ level }) => level === 'error'),
    { fields: { part: 'reactor.failing', namespace: 'x' }, message: /dead-letter/ },
  )
})

await t.test('its child may be missing something, and its methods may fail', async t => {
  const warned: Error[] = []
  const onWarning = (warning: Error) => void warned.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const fail = () => {
    throw new Error('disk full')
  }
  const loggers: Record<string, Logger> = {
    'a child without methods': { ...collecting().log, child: () => ({}) as Logger },
    'a child that throws': { ...collecting().log, child: fail },
    'methods that throw': { debug: fail, info: fail, warn: fail, error: fail },
    'methods that reject': {
      ...collecting().log,
      error: () => Promise.reject(new Error('nobody awaits this')) as never,
    },
    'isLevelEnabled that throws': { ...collecting().log, isLevelEnabled: fail },
  }
  for (const log of Object.values(loggers)) await makeDeadLetter(log)
  const ours = await until(() => {
    const found = warned.filter(({ name }) => name === 'CairnLogWarning')
    return found.length >= 4 && found
  })
  t.match(ours[0]!.message, /startNode\(\{ log \}\) fails.*disk full/)
})

await t.test('an object that is no logger is refused, by what it lacks', async t => {
  const wrong: [unknown, RegExp][] = [
    [{}, /without the methods debug, info, warn, error/],
    [
      { ...collecting().log, warn: 'loud' },
      /without the method warn: pass a pino logger/,
    ],
    [null, /log of startNode is null/],
    [true, /log of startNode is true/],
    [() => {}, /log of startNode is a function/],
  ]
  for (const [log, message] of wrong)
    await t.rejects(start({ log: log as Logger }), { code: 'invalid-option', message })
})
