// Flips bytes in copies of an embedded file, opens each copy and uses its actors. It runs the compiled code.
//
//     node lmdb-flips.mjs DIR COUNT SEED
//
// DIR is where it makes the file and its copies. It prints one JSON object: how many copies were refused, how many opened
// whole, in how many an actor was parked, and what was wrong in others. A balance that is not the stored one without an
// error is wrong; so is an error that is not Cairn's, or names no file. A copy whose reading takes for ever, or ends the
// process, is the last one that it names on stderr.

import {
  cpSync,
  mkdirSync,
  openSync,
  closeSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

const [dir = '', count, seedText] = process.argv.slice(2)
/** @param {string} path */
const compiled = path => import(new URL(`../../dist/${path}`, import.meta.url).href)
const { defineActor, embedded, event, startNode } = await compiled('index.js')

let state = Number(seedText)
/** @param {number} below */
function random(below) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (/** @type {number} */ _state, /** @type {number} */ by) => event('added', by),
    fill: () => event('filled', 'x'.repeat(9_000)),
  },
  evolve: {
    added: (/** @type {number} */ now, /** @type {number} */ by) => now + by,
    filled: (/** @type {number} */ now) => now,
  },
})
const options = { namespace: 't', actors: [counter], log: false }

const base = join(dir, 'base')
rmSync(base, { recursive: true, force: true })
const ids = Array.from({ length: 16 }, (_, i) => `a${i}`)
/** @type {Map<string, number>} */
const balances = new Map()
{
  const node = await startNode({ ...options, id: 'n', store: embedded({ dir: base }) })
  for (const id of ids)
    for (let by = 1; by <= 3; by++) {
      if (random(9) === 0) await node.spawn(counter, id).ask('fill')
      await node.spawn(counter, id).ask('add', by + ids.indexOf(id))
      balances.set(id, (balances.get(id) ?? 0) + by + ids.indexOf(id))
    }
  await node.close()
}

const file = join(base, 't.lmdb')
const size = statSync(file).size
/** @type {string[]} */
const wrong = []
const report = { copies: 0, refused: 0, whole: 0, parked: 0, wrong }
/** @type {Map<string, number>} */
const codes = new Map()
for (let i = 0; i < Number(count); i++) {
  const at = join(dir, 'copy')
  mkdirSync(at, { recursive: true })
  cpSync(file, join(at, 't.lmdb'))
  const flips = 1 + random(3) * random(8)
  const descriptor = openSync(join(at, 't.lmdb'), 'r+')
  const places = []
  for (let flip = 0; flip < flips; flip++) {
    // Half of them in the pages of the metas and of the roots, where most is at stake.
    const offset = random(4) === 0 ? random(300) + 4096 * random(2) : random(size)
    places.push(offset)
    writeSync(descriptor, Buffer.from([random(256)]), 0, 1, offset)
  }
  closeSync(descriptor)
  process.stderr.write(`copy ${i}: ${places.join(' ')}\n`)
  report.copies++
  const found = await use(at)
  if (found === 'refused') report.refused++
  else if (found.parked > 0) report.parked++
  else report.whole++
  rmSync(at, { recursive: true, force: true })
}

/** @param {string} at */
async function use(at) {
  let node
  try {
    node = await startNode({ ...options, id: 'c', store: embedded({ dir: at }) })
  } catch (error) {
    judge(error, ['damaged-file', 'foreign-directory'])
    return 'refused'
  }
  let parked = 0
  for (const id of ids) {
    try {
      const { state } = await node.spawn(counter, id).state({ timeout: 5_000 })
      if (state !== balances.get(id)) report.wrong.push(`${id} is ${state}`)
      if (random(10) === 0)
        await node.spawn(counter, id).ask('add', 0, { timeout: 5_000 })
    } catch (error) {
      parked++
      judge(error, ['actor-parked', 'damaged-file'])
    }
  }
  await node.close({ timeout: 1_000 })
  return { parked }
}

/** @param {any} error @param {string[]} expected */
function judge(error, expected) {
  const code = String(error?.code ?? error)
  codes.set(code, (codes.get(code) ?? 0) + 1)
  if (!expected.includes(code) || !/t\.lmdb|position|record/.test(error.message))
    report.wrong.push(`${code}: ${error?.message}`)
}

process.stdout.write(
  `${JSON.stringify({ ...report, codes: Object.fromEntries(codes) })}\n`,
)
