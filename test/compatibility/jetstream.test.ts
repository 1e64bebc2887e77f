// What an earlier build stored on a server is read, folded and continued as by that build.

import t from 'tap'

import { jetstream } from 'cairn-es'

import { observeServer } from '../fixtures/homes.mjs'
import { startNats } from '../support/nats.js'
import { compare, folderOf, how, sets, tokensOf } from './compared.js'

for (const set of sets)
  await t.test(`the streams of ${set} are read and continued as before`, async t => {
    await using server = await startNats()
    const tokens = await tokensOf(set, 'jetstream')
    const parts = observeServer(folderOf(set), server.url, how, jetstream, tokens)
    await compare(t, set, 'jetstream', parts)
  })
