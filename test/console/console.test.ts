// The console in a browser, with real nodes: an operator sees an actor that is stuck, finds out why, sees it mended, resumes
// it and sends dead letters again, and nothing is lost. Each page is checked by axe, light, dark and on a phone.
//
// `CAIRN_SCREENSHOTS=FOLDER` keeps the pictures; those in docs/pictures are made so.

import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { chromium, type Page } from 'playwright-core'
import t, { type Test } from 'tap'

import { ensureChromium } from '../../scripts/chromium.mjs'
import { until } from '../support/wait.js'

// A browser and two starts of a node, on a machine that does other things as well.
t.setTimeout(300_000)

const dir = await mkdtemp(join(tmpdir(), 'cairn-console-'))
const data = join(dir, 'data')
const tokens = { ops: 'token-of-the-operators', viewer: 'token-of-the-viewers' }
await writeFile(
  join(dir, 'tokens'),
  `${tokens.ops} olga writer,operator\n${tokens.viewer} victor reader\n`,
)
const pictures = process.env['CAIRN_SCREENSHOTS'] ?? join(dir, 'pictures')
await mkdir(pictures, { recursive: true })

async function startNode({ poison = false, port = 0 } = {}) {
  const args = ['dist/node.js', '--ns', 'shop', '--id', 'n1', '--embedded', data]
  const child = spawn(
    process.execPath,
    [
      ...args,
      '--actors',
      'test/support/actors/shop.mjs',
      '--http',
      `127.0.0.1:${port}`,
      '--http-tokens',
      join(dir, 'tokens'),
      '--log-level',
      'info',
    ],
    {
      env: { ...process.env, POISON: poison ? '1' : '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const exited = once(child, 'exit')
  let url = ''
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text) as { readonly msg: string; readonly url?: string }
    if (line.msg === 'http ready') url = line.url!
    if (line.msg === 'node ready') break
  }
  child.stdout.resume()
  return {
    url,
    port: Number(new URL(url).port),
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

let node = await startNode({ poison: true })
const browser = await chromium.launch({
  executablePath: await ensureChromium(),
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
})
t.teardown(async () => {
  await browser.close()
  await node.stop()
  await rm(dir, { recursive: true, force: true })
})

async function call(path: string, body?: unknown) {
  const response = await fetch(`${node.url}/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${tokens.ops}`,
      'content-type': 'application/json',
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as never }
}
const ask = (actor: string, command: string, body: unknown = null) =>
  call(`actors/${actor}/ask/${command}`, body)

const axe = await readFile(new URL(import.meta.resolve('axe-core')), 'utf8')

async function check(t: Test, page: Page, name: string) {
  for (const plot of await page.locator('.plot').all())
    await plot.locator('canvas').waitFor()
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
  const found = await page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      axe: {
        run(): Promise<{
          violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
        }>
      }
    }
    const { violations } = await checker.run()
    return violations.map(
      ({ id, nodes: [first] }) => `${id}: ${first?.html} ${first?.failureSummary}`,
    )
  })
  t.strictSame(found, [], `axe finds nothing on ${name}`)
}

async function openConsole(token: string, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    ...options,
  })
  // Runs in a world of its own: the policy of the pages forbids scripts from elsewhere.
  await context.addInitScript({ content: axe })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', message => {
    const text = message.text()
    if (message.type() === 'error' && !/status of (401|409)/.test(text))
      problems.push(text)
  })
  page.on('pageerror', error => problems.push(error.message))
  await page.goto(node.url)
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  return { page, context, problems }
}

/** The pages beside the overview, with a text that is there once they are loaded. */
const everyPage = [
  ['actor/account/alice', 'State at version'],
  ['actors', 'account/carol'],
  ['dead-letters', 'There are no dead letters.'],
  ['live', 'Events of all nodes'],
  ['reactors', 'Lag, in seconds'],
  ['projections', 'Lag, in events'],
  ['timers', 'interest'],
] as const

const go = (page: Page, name: string) =>
  page.getByRole('navigation').getByRole('link', { name, exact: true }).click()

for (let i = 1; i <= 6; i++) await ask('account/alice', 'deposit', { amount: i * 10 })
await ask('account/alice', 'transfer', { to: 'bob', amount: 25 })
await ask('account/bob', 'remind', { after: 3_600_000 })
for (const command of ['assign', 'arrive', 'board', 'stop', 'go', 'stop'])
  await ask('ride/r7', command)
await ask('order/o1', 'place', { item: 'tea' })
await ask('order/o2', 'place', { item: 'cups' })
// Another program has stored it; the code of this node cannot fold it.
await promisify(execFile)(process.execPath, [
  'dist/cli/main.js',
  'append',
  'account/alice',
  'imported',
  '{"owner":null}',
  '--ns',
  'shop',
  '--embedded',
  data,
])
await until(async () => {
  const { body } = await call('parked')
  if ((body as { parked: unknown[] }).parked.length > 0) return true
  await ask('account/alice', 'deposit', { amount: 1 })
  return false
})
await until(async () => {
  const { body } = await call('dead-letters')
  return (body as { deadLetters: unknown[] }).deadLetters.length === 2
})

await t.test('an operator sees, explains and mends', async t => {
  const { page, problems } = await openConsole(tokens.ops)
  await page.getByText('owner is null').waitFor()
  await check(t, page, 'overview')

  await page
    .getByRole('region', { name: 'Needs attention' })
    .getByRole('link', { name: 'account/alice' })
    .click()
  await page.getByText('Parked: it fails every command').waitFor()
  await page.getByText('cannot be folded', { exact: true }).waitFor()
  await check(t, page, 'parked')

  await page.getByRole('button', { name: 'Pause…' }).click()
  await page.getByText('cairn actor pause account/alice --ns shop').waitFor()
  await page.getByLabel('Reason').fill('until it is mended')
  await check(t, page, 'question')
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
  await page.getByText('paused by olga').waitFor()

  await node.stop()
  node = await startNode({ port: node.port })
  await page.getByText('Parked: it fails').waitFor({ state: 'detached', timeout: 60_000 })
  await page.getByRole('button', { name: 'Resume…' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click()
  await page.getByText('accepts commands', { exact: true }).waitFor()
  t.equal((await ask('account/alice', 'deposit', { amount: 5 })).status, 200)
  const { body } = await call('actors/account/alice/state')
  t.strictSame((body as { state: unknown }).state, { balance: 190, owner: null })

  await go(page, 'Dead letters')
  await page.getByText('no carrier for tea').waitFor()
  await page.getByRole('button', { name: 'More' }).first().click()
  await check(t, page, 'dead-letters')
  await page.getByRole('button', { name: 'Send all again…' }).click()
  await page.getByText('cairn dlq retry-all --ns shop').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Send all again' }).click()
  await page.getByText('There are no dead letters.').waitFor()
  // The only errors are those of requests while there was no node.
  t.strictSame(
    problems.filter(
      text => !/ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|Failed to load/.test(text),
    ),
    [],
  )
})

await t.test('an actor shows how it came to its state', async t => {
  const { page, context, problems } = await openConsole(tokens.ops)
  // Its median is that of the commands since the last reading.
  const latency = page.getByRole('img', { name: /^Time until a command is answered/ })
  await until(async () => {
    await ask('account/dora', 'deposit', { amount: 1 })
    return !/median, ms 0\.0,/.test((await latency.getAttribute('aria-label')) ?? '')
  })
  await check(t, page, 'overview-busy')

  await page.goto(`${node.url}/#/actor/account/alice`)
  await page.getByText('State at version 9').waitFor()
  await page.getByRole('slider').focus()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await page.getByText('State at version 7').waitFor()
  await page.getByText('olga').nth(1).waitFor()
  await page
    .getByRole('region', { name: 'Causes and effects' })
    .getByRole('link', { name: 'account/bob' })
    .waitFor()
  await page.getByText('cairn why ').waitFor()
  await page.getByLabel('Command').selectOption('withdraw')
  await page.getByRole('spinbutton', { name: 'amount', exact: true }).fill('1000')
  await page.getByLabel('note (optional)').fill('rent')
  await page.getByRole('button', { name: 'Try at version 7' }).click()
  await page.getByText('would be rejected').waitFor()
  await page.getByRole('button', { name: 'As JSON' }).click()
  await page.getByLabel('Data (JSON)').fill('{"amount": 60}')
  await page.getByRole('button', { name: 'As fields' }).click()
  await page.getByRole('button', { name: 'Try at version 7' }).click()
  await page.getByText('would be accepted').waitFor()
  await check(t, page, 'actor')
  const { body } = await call('actors/account/alice/state')
  t.equal((body as { version: number }).version, 9, 'and nothing was stored')

  await page.goto(`${node.url}/#/actor/account/bob`)
  // What alice has sent may have come before it or after it.
  await page
    .getByRole('region', { name: 'Timeline' })
    .getByRole('link', { name: 'reminded' })
    .click()
  await page.getByText('timer interest').waitFor()
  await check(t, page, 'effects')

  await page.goto(`${node.url}/#/actor/ride/r7`)
  await page.getByRole('img', { name: 'Current: riding, stopped' }).waitFor()
  await check(t, page, 'statechart')
  await ask('ride/r7', 'go')
  await page.getByRole('img', { name: 'Current: riding, moving' }).waitFor()

  await go(page, 'Live')
  await page.getByText('a second').first().waitFor()
  for (const amount of [3, 4]) await ask('account/carol', 'deposit', { amount })
  await page.getByRole('link', { name: 'account/carol' }).first().waitFor()
  await check(t, page, 'live')
  await page.getByLabel('Contains').fill('nothing of it')
  await page.getByText('No event matches.').waitFor()
  for (const [name, text] of [
    ['Actors', 'account/carol'],
    ['Reactors', 'shipping'],
    ['Projections', 'balances'],
    ['Timers', 'interest'],
  ] as const) {
    await go(page, name)
    await page.getByText(text).first().waitFor()
    await check(t, page, name.toLowerCase())
  }
  t.strictSame(problems, [])
  await context.close()
})

await t.test('it is dark, small, and read-only for readers', async t => {
  const dark = await openConsole(tokens.viewer, { colorScheme: 'dark' })
  await check(t, dark.page, 'overview-dark')
  await dark.page.goto(`${node.url}/#/actor/ride/r7`)
  await dark.page.getByRole('img', { name: 'Current: riding, moving' }).waitFor()
  await check(t, dark.page, 'statechart-dark')
  t.equal(await dark.page.getByRole('button', { name: 'Pause…' }).count(), 0)
  t.equal(await dark.page.getByRole('button', { name: 'Send…' }).count(), 0)
  for (const [place, text] of everyPage) {
    await dark.page.goto(`${node.url}/#/${place}`)
    await dark.page.getByText(text).first().waitFor()
    await check(t, dark.page, `${place.replaceAll('/', '-')}-dark`)
  }
  await dark.context.close()

  const phone = await openConsole(tokens.ops, { viewport: { width: 390, height: 844 } })
  await check(t, phone.page, 'overview-390')
  for (const [place, text] of [
    ['actor/ride/r7', 'State at version'],
    ...everyPage,
  ] as const) {
    await phone.page.goto(`${node.url}/#/${place}`)
    await phone.page.getByText(text).first().waitFor()
    const width = await phone.page.evaluate<number>(
      'document.documentElement.scrollWidth',
    )
    t.ok(width <= 390, `${place} is ${width} px wide`)
    await check(t, phone.page, `${place.replaceAll('/', '-')}-390`)
  }
  await phone.context.close()
})

await t.test('a list of many actors has a page at a time', async t => {
  const names = Array.from(
    { length: 130 },
    (_, i) => `many-${String(i).padStart(3, '0')}`,
  )
  for (const name of names) await ask(`account/${name}`, 'deposit', { amount: 1 })
  const { page, context, problems } = await openConsole(tokens.viewer)
  await page.goto(`${node.url}/#/actors?type=account`)
  await page.getByLabel('Id begins with').fill('many-')
  const shown = async () =>
    (await page.getByRole('main').getByRole('link').allInnerTexts()).filter(name =>
      name.startsWith('account/many-'),
    )
  const shows = (count: number) => until(async () => (await shown()).length === count)
  await shows(100)
  const first = await shown()
  const next = page.getByRole('button', { name: 'Next 100' })
  await next.press('Enter')
  await shows(30)
  t.strictSame(
    [...first, ...(await shown())].toSorted(),
    names.map(one => `account/${one}`),
  )
  t.equal(await next.isDisabled(), true)
  await check(t, page, 'actors-page-2')
  await page.getByRole('button', { name: 'Previous 100' }).press('Enter')
  await shows(100)
  t.strictSame(await shown(), first)
  t.strictSame(problems, [])
  await context.close()
})

await t.test('the first load is small, and pages are strict', async t => {
  const context = await browser.newContext()
  const page = await context.newPage()
  let bytes = 0
  page.on('response', async response => {
    const { responseBodySize, responseHeadersSize } = await response.request().sizes()
    bytes += responseBodySize + responseHeadersSize
  })
  const response = await page.goto(node.url)
  await page.getByLabel('Token').waitFor()
  await page.waitForLoadState('networkidle')
  t.ok(bytes > 0 && bytes <= 250_000, `${bytes} bytes`)
  t.comment(`the first load has ${bytes} bytes`)
  const policy = response!.headers()['content-security-policy']!
  t.match(policy, "default-src 'none'")
  t.notMatch(policy, 'unsafe')
  const foreign = await fetch(node.url, { headers: { 'sec-fetch-site': 'cross-site' } })
  t.equal(foreign.status, 200, 'a link of another site may lead here')
  t.equal((await fetch(`${node.url}/other`)).status, 404)
  t.equal((await fetch(`${node.url}/..%2fpages.js`)).status, 404)
  await context.close()
})
