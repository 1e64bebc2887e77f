// docs/errors.md lists exactly the error codes of src/model/errors.ts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

import { CairnError, type ErrorCode, isErrorCode } from '../../src/model/errors.js'
import { root, tableUnder } from './markdown.js'

/** The table is not exported, so its keys are parsed from the source. */
function codesInSource(): string[] {
  const source = readFileSync(join(root, 'src/model/errors.ts'), 'utf8')
  const [, table] = /const retryableByCode = \{([^}]*)\}/.exec(source) ?? []
  return [...table!.matchAll(/^\s*'?([\w-]+)'?: (?:true|false),$/gm)].map(
    found => found[1]!,
  )
}

const rows = tableUnder('docs/errors.md', 'Codes')
const codes = codesInSource()

await t.test('the page lists exactly the codes of the source, in its order', async t => {
  t.ok(codes.length > 20)
  t.ok(codes.every(isErrorCode), 'every parsed code is an error code')
  t.strictSame(
    rows.map(([code]) => code),
    codes,
  )
})

await t.test('the page states for each code whether it is retryable', async t => {
  for (const [code, retryable] of rows) {
    const error = new CairnError(code as ErrorCode, '')
    t.equal(retryable, error.retryable ? 'yes' : 'no', code!)
  }
})
