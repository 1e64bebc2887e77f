// cairn doctor: faults that depend on numbers and configurations alone.

import t from 'tap'

import { groupFindings } from '../../src/cli/doctor/beside.js'
import { diskFindings } from '../../src/cli/doctor/examine.js'
import type { Finding } from '../../src/cli/doctor/finding.js'
import {
  accountFindings,
  clockFindings,
  limitFindings,
  streamFindings,
  versionFindings,
} from '../../src/cli/doctor/server.js'

const names = (findings: Iterable<Finding>) => [...findings].map(({ check }) => check)

await t.test('versions, clocks, disks and limits', async t => {
  t.strictSame(names(versionFindings('2.12.9', 's')), ['server-version'])
  t.strictSame(names(versionFindings('2.14.1', 's')), ['server-version'])
  t.strictSame(names(versionFindings('2.12.14', 's')), [])
  t.strictSame(names(versionFindings('2.15.1', 's')), [])
  t.match([...clockFindings(0, 5_000, 's')], [{ severity: 'watch', check: 'clock-skew' }])
  t.match([...clockFindings(120_000, 0, 's')], [{ severity: 'critical' }])
  t.strictSame(names(clockFindings(0, 500, 's')), [])
  const mib = 1024 ** 2
  t.match(
    [...diskFindings('d', 500 * mib)],
    [{ severity: 'watch', check: 'disk-near-full' }],
  )
  t.match([...diskFindings('d', 5 * mib)], [{ severity: 'critical' }])
  t.strictSame(names(diskFindings('d', 2_048 * mib)), [])
  t.match(
    [...limitFindings('x', 'bytes', 85, 100)],
    [{ severity: 'watch', check: 'limit-near' }],
  )
  t.match([...limitFindings('x', 'bytes', 96, 100)], [{ severity: 'critical' }])
  t.strictSame(names(limitFindings('x', 'bytes', 10, -1)), [])
  const limits = { max_storage: 100, max_streams: 10, max_consumers: -1 }
  const account = { storage: 90, memory: 0, streams: 10, consumers: 5, limits }
  t.strictSame(names(accountFindings(account)), ['limit-near', 'limit-near'])
})

await t.test('configurations of a stream', async t => {
  const of = (config: object, isClustered = false, logReplicas = 1, state: object = {}) =>
    names(
      streamFindings(
        {
          config: { name: 'S', storage: 'file', ...config },
          state: { messages: 0, ...state },
        },
        { isClustered, logReplicas },
      ),
    )
  t.strictSame(of({}), [])
  t.strictSame(of({ num_replicas: 3 }, true, 3), [])
  t.strictSame(of({ num_replicas: 1 }, true), ['stream-replicas'])
  t.strictSame(of({ num_replicas: 3 }, true, 5), ['stream-replicas'])
  for (const flag of ['sealed', 'deny_delete', 'deny_purge'])
    t.strictSame(of({ [flag]: true }), ['stream-locked'])
  t.strictSame(of({ name: 'KV_S', deny_delete: true }), [])
  t.strictSame(of({ max_bytes: 100 }, false, 1, { bytes: 99 }), ['limit-near'])
})

await t.test('checkpoints', async t => {
  const backlog = {
    group: 'mails',
    topics: [],
    source: 'log',
    floor: 9,
    end: 5,
    waiting: 0,
    isCounted: true,
    failing: [],
    dead: 0,
    lagSeconds: 0,
    health: 'good',
  } as const
  t.strictSame(names(groupFindings(backlog)), ['checkpoint-ahead'])
  t.strictSame(names(groupFindings({ ...backlog, floor: 5 })), [])
})
