// What an earlier build stored in a directory is read, folded and continued as by that build.

import { join } from 'node:path'

import t from 'tap'

import { embedded } from 'cairn-es'

import { observeDirectory } from '../fixtures/homes.mjs'
import { compare, folderOf, how, sets, tokensOf } from './compared.js'

for (const set of sets)
  await t.test(`the file of ${set} is read and continued as before`, async t => {
    const tokens = await tokensOf(set, 'embedded')
    const parts = observeDirectory(
      folderOf(set),
      join(t.testdir(), 'data'),
      how,
      embedded,
      tokens,
    )
    await compare(t, set, 'embedded', parts)
  })
