// What schemas cost the type check: an application of 20 actor types with schemas, and the same without.
//
//   npm run types:cost
//
// Prints the median time of each, and their ratio; exits 1 if it is more than 2.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const types = 20
const runs = 5
const ratioMax = 2
const folder = join('build', 'type-cost')

/** @param {number} i */
const withSchemas = i => `
import { defineActor, event } from 'cairn-es'
import { z } from 'zod'

const line = z.object({ sku: z.string(), count: z.number().int(), price: z.number(), note: z.string().optional() })
const address = z.object({ street: z.string(), town: z.string(), code: z.string(), country: z.enum(['de', 'fr', 'it']) })

export const order${i} = defineActor({
  type: 'order${i}',
  schemas: {
    commands: { place: z.object({ lines: z.array(line), to: address }), pay: z.object({ amount: z.number() }), ship: z.object({ by: z.string() }) },
    events: { placed: z.object({ lines: z.array(line), to: address }), paid: z.object({ amount: z.number() }), shipped: z.object({ by: z.string() }) },
    replies: { pay: z.object({ left: z.number() }) },
    state: z.object({ lines: z.array(line), paid: z.number(), by: z.string().optional() }),
  },
  initialState: { lines: [], paid: 0 },
  decide: {
    place: (_state, data) => event('placed', data),
    pay: (state, { amount }) => ({ events: event('paid', { amount }), reply: () => ({ left: state.lines.length - amount }) }),
    ship: (_state, { by }) => event('shipped', { by }),
  },
  evolve: {
    placed: (state, { lines }) => ({ ...state, lines }),
    paid: (state, { amount }) => ({ ...state, paid: state.paid + amount }),
    shipped: (state, { by }) => ({ ...state, by }),
  },
})
`

/** @param {number} i */
const withoutSchemas = i => `
import { defineActor, event } from 'cairn-es'

interface Line { readonly sku: string; readonly count: number; readonly price: number; readonly note?: string | undefined }
interface Address { readonly street: string; readonly town: string; readonly code: string; readonly country: 'de' | 'fr' | 'it' }
interface Placed { readonly lines: readonly Line[]; readonly to: Address }
interface State { readonly lines: readonly Line[]; readonly paid: number; readonly by?: string }

export const order${i} = defineActor({
  type: 'order${i}',
  initialState: { lines: [], paid: 0 } as State,
  decide: {
    place: (_state, data: Placed) => event('placed', data),
    pay: (state, { amount }: { amount: number }) => ({ events: event('paid', { amount }), reply: () => ({ left: state.lines.length - amount }) }),
    ship: (_state, { by }: { by: string }) => event('shipped', { by }),
  },
  evolve: {
    placed: (state, { lines }: Placed) => ({ ...state, lines }),
    paid: (state, { amount }: { amount: number }) => ({ ...state, paid: state.paid + amount }),
    shipped: (state, { by }: { by: string }) => ({ ...state, by }),
  },
})
`

const main = `
import { memory, startNode } from 'cairn-es'
${Array.from({ length: types }, (_, i) => `import { order${i} } from './order${i}.js'`).join('\n')}

const node = await startNode({ namespace: 'shop', store: memory(), actors: [${Array.from({ length: types }, (_, i) => `order${i}`).join(', ')}] })
${Array.from({ length: types }, (_, i) => `await node.spawn(order${i}, 'a').ask('pay', { amount: ${i} })`).join('\n')}
await node.close()
`

const options = {
  module: 'nodenext',
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: false,
  skipLibCheck: true,
  noEmit: true,
  types: ['node'],
}

/** @type {Record<string, (i: number) => string>} */
const variants = { 'without schemas': withoutSchemas, 'with schemas': withSchemas }
/** @type {Record<string, number[]>} */
const times = {}
for (const [name, source] of Object.entries(variants)) {
  const at = join(folder, name.replaceAll(' ', '-'))
  await rm(at, { recursive: true, force: true })
  await mkdir(at, { recursive: true })
  for (let i = 0; i < types; i++) await writeFile(join(at, `order${i}.ts`), source(i))
  await writeFile(join(at, 'main.ts'), main)
  const project = { compilerOptions: options, files: ['main.ts'] }
  await writeFile(join(at, 'tsconfig.json'), JSON.stringify(project))
  times[name] = []
}
// In turns: whatever else the machine does is the same for both.
for (let run = 0; run < runs; run++)
  for (const [name, all] of Object.entries(times)) {
    const project = join(folder, name.replaceAll(' ', '-'))
    const since = performance.now()
    const tsc = spawn(
      process.execPath,
      ['node_modules/typescript/bin/tsc', '-p', project],
      { stdio: 'inherit' },
    )
    const [code] = await once(tsc, 'exit')
    if (code !== 0) throw new Error(`The application ${name} does not compile.`)
    all.push(performance.now() - since)
  }
const medians = Object.values(times).map(
  all => all.toSorted((a, b) => a - b)[Math.floor(runs / 2)] ?? 0,
)
const [plain = 0, checked = 0] = medians
for (const [i, name] of Object.keys(times).entries())
  console.log(`${types} actor types ${name}: ${((medians[i] ?? 0) / 1000).toFixed(2)} s`)
console.log(`ratio: ${(checked / plain).toFixed(2)} (at most ${ratioMax})`)
process.exitCode = checked / plain <= ratioMax ? 0 : 1
