import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { embedded } from '../../src/backend/embedded.js'
import { testNoticeBus } from '../contract/bus.js'

await testNoticeBus(t, 'the embedded backend', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-bus-'))
  return {
    backend: embedded({ dir }),
    dispose: () => rm(dir, { recursive: true, force: true }),
  }
})
