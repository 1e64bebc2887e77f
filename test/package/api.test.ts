// The public API: every change of it shows in the API report, and the main door stays small.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'

import { bare } from '../support/bare.js'

await t.test('the API report is up to date', async t => {
  const check = promisify(execFile)(
    ...bare(process.execPath, 'scripts/api.mjs', '--check'),
  )
  const { code, stderr } = await check.then(
    () => ({ code: 0, stderr: '' }),
    (error: unknown) => error as { code: number; stderr: string },
  )
  t.equal(code, 0, stderr)
})

await t.test('the main door has less than 120 names', async t => {
  const report = await readFile('api/index.txt', 'utf8')
  const [, count] = /^cairn-es: (\d+) names/.exec(report)!
  t.ok(Number(count) < 120, `${count} names`)
})
