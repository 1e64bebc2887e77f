// /metrics: the text format, checked by Prometheus' own linter where it is installed, the documented names, and the size
// of a scrape.

import { execFile, spawnSync } from 'node:child_process'
import t, { type Test } from 'tap'

import { expositionType } from '../../src/http/metrics/exposition.js'
import { nodeMetrics } from '../../src/http/metrics/node-metrics.js'
import { tableUnder } from '../docs/markdown.js'
import { until } from '../support/wait.js'
import { openShop } from './shop.js'

const sampleLine =
  /^(?<name>[a-z_][a-z0-9_]*)(?:\{(?<labels>(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (?<value>\S+)$/

/** The rules of the format and of Prometheus' naming, as far as they can be broken here. */
function lint(t: Test, text: string): void {
  t.ok(text.endsWith('\n'))
  let family = { name: '', type: '' }
  const seen = new Set<string>()
  const samples = new Set<string>()
  const problems: string[] = []
  for (const line of text.split('\n').slice(0, -1)) {
    const [, name] = /^# HELP (\S+) .+$/.exec(line) ?? []
    if (name !== undefined) {
      if (seen.has(name)) problems.push(`${name} is there twice`)
      seen.add(name)
      family = { name, type: '' }
      continue
    }
    const [, typed, type] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? []
    if (typed !== undefined) {
      if (typed !== family.name) problems.push(`TYPE of ${typed} is not after its HELP`)
      family = { name: typed, type: type! }
      if ((type === 'counter') !== typed.endsWith('_total'))
        problems.push(`${typed} is a ${type}`)
      if (/_(ms|milliseconds|count|sum|bucket|mb|kib)(_|$)/.test(typed))
        problems.push(`${typed} has a suffix of another type, or no base unit`)
      continue
    }
    const { groups } = sampleLine.exec(line) ?? {}
    if (groups === undefined) {
      problems.push(`no line of the format: ${line}`)
      continue
    }
    const base =
      family.type === 'histogram'
        ? groups.name!.replace(/_(bucket|sum|count)$/, '')
        : groups.name
    if (base !== family.name) problems.push(`${line} is not below its TYPE`)
    if (Number.isNaN(Number(groups.value))) problems.push(`${line} has no number`)
    const key = `${groups.name}{${groups.labels}}`
    if (samples.has(key)) problems.push(`${key} is there twice`)
    samples.add(key)
  }
  t.strictSame(problems, [])
}

function promtool(text: string): Promise<string> {
  return new Promise(resolve => {
    const child = execFile('promtool', ['check', 'metrics'], (error, out, err) =>
      resolve(error === null ? '' : `${out}${err}`),
    )
    child.stdin!.end(text)
  })
}
const hasPromtool = spawnSync('promtool', ['--version']).error === undefined

await t.test('metrics pass the linters', async t => {
  await using shop = await openShop()
  await shop.fill()
  // A row is there before the log is read to its end.
  await until(() => shop.node.stats().projections['sums']?.builds[0]?.lag === 0)
  await shop.request('/v1/nodes', { headers: { host: 'evil.example' } })
  await shop.request('/wat/"\\\n', { method: 'BREW' })
  const response = await shop.request('/metrics', { as: 'reader' })
  t.equal(response.headers.get('content-type'), expositionType)
  const text = await response.text()
  lint(t, text)
  if (hasPromtool) t.equal(await promtool(text), '')
  t.match(text, /^cairn_node_info\{node="n1",namespace="shop",version="[^"]+"\} 1$/m)
  t.match(
    text,
    /^cairn_group_records_handled_total\{group="reactor",reactor="ledger"\} \d$/m,
  )
  t.match(text, /^cairn_commands_handled_total\{method="ask"\} 3$/m)
  t.match(
    text,
    /^cairn_command_duration_seconds_bucket\{outcome="ok",le="\+Inf"\} [1-9]\d*$/m,
  )
  t.match(text, /^cairn_dead_letters_total\{reason="max-attempts-exhausted"\} [1-9]\d*$/m)
  t.match(text, /^cairn_command_duration_seconds_count\{outcome="failed"\} 0$/m)
  t.match(
    text,
    /^cairn_projection_lag_positions\{projection="sums",build="1",state="live"\} 0$/m,
  )
  t.match(
    text,
    /^cairn_http_requests_total\{method="POST",route="\/v1\/actors\/\{type\}\/\{id\}\/ask\/\{command\}",status="200"\} 3$/m,
  )
  t.match(
    text,
    /^cairn_http_requests_total\{method="other",route="other",status="404"\} 1$/m,
  )
  t.equal((await shop.request('/metrics', { as: 'nobody' })).status, 401)
  t.equal((await shop.request('/metrics', { as: 'stranger' })).status, 401)
})

await t.test('the docs list the metrics of a node as they are', async t => {
  const rows = tableUnder('docs/metrics.md', 'Of a node')
  t.strictSame(
    rows.map(([name, type]) => [name, type]),
    nodeMetrics.map(({ name, type }) => [name, type]),
  )
})

await t.test('a scrape does not grow with the number of actors or of paths', async t => {
  await using shop = await openShop()
  const scrape = async () => (await shop.request('/metrics', { as: 'reader' })).text()
  await scrape()
  const before = await scrape()
  await Promise.all(
    Array.from({ length: 500 }, (_, i) =>
      shop.request(`/v1/actors/till/t${i}/ask/sell`, { body: { price: 1 } }),
    ),
  )
  await shop.request('/v1/nodes')
  await Promise.all(Array.from({ length: 500 }, (_, i) => shop.request(`/x/${i}`)))
  const after = await scrape()
  t.match(after, /^cairn_actors_resident 500$/m)
  const lines = (text: string) => text.split('\n').length
  // Three routes more than before, each with a histogram and a counter.
  t.ok(lines(after) - lines(before) < 60, `${lines(before)} and ${lines(after)} lines`)
  t.ok(after.length < 50_000)
})
