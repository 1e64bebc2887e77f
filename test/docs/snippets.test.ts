// Every TypeScript snippet of the docs is a whole module: it compiles under the project's own
// settings against the built package. One marked `ts run` also runs, and prints the text of the
// following block `text prints`; the shell line that runs it may be in between.
//
// A snippet whose first line is a comment with a file name (`// account.ts`) gets that name,
// so that the others of its page can import it. Those of a page that run share a working
// directory and run in the page's order, so one finds what the previous one stored.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import ts from 'typescript'

import { bare } from '../support/bare.js'
import { startNats } from '../support/nats.js'
import { type Block, blocksOf, findPages, root } from './markdown.js'

interface Snippet extends Block {
  /** Path of its module, and of the compiled file, relative to the folder. */
  readonly module: string
  readonly runs: boolean
  readonly prints: string | undefined
}

/** Blocks that show only a part of a program, and are not compiled. */
const fragmentsAllowed = 0
const runTimeout = 60_000

const pages = findPages().filter(page => /^(README\.md|docs\/|examples\/)/.test(page))
const blocks = pages.flatMap(blocksOf)
const snippets = pages.flatMap(page => snippetsOf(blocksOf(page)))

function snippetsOf(page: readonly Block[]): Snippet[] {
  return page.flatMap((block, i) => {
    const [language, ...marks] = block.info.split(/\s+/)
    if (language !== 'ts' || marks.includes('fragment')) return []
    const unknown = marks.find(mark => mark !== 'run')
    if (unknown !== undefined)
      throw new Error(`${block.page}:${block.line}: no snippet is marked ${unknown}`)
    const [, name = `line-${block.line}`] = /^\/\/ ([\w-]+)\.ts\n/.exec(block.text) ?? []
    const next = page.slice(i + 1).find(({ info }) => info !== 'sh')
    return {
      ...block,
      module: join(block.page.replace(/\.md$/, ''), name),
      runs: marks.includes('run'),
      prints: next?.info === 'text prints' ? next.text : undefined,
    }
  })
}

const built = existsSync(join(root, 'dist', 'index.js'))
if (!built)
  throw new Error('The docs are compiled against dist: run "npm run build" first.')

await mkdir(join(root, '.tap'), { recursive: true })
// In the repository, so that `cairn-es` resolves; outside node_modules, where it would not.
const folder = await mkdtemp(join(root, '.tap', 'snippets-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

for (const { module, text } of snippets) {
  const path = join(folder, 'src', `${module}.ts`)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `${text}\n`, { flag: 'wx' })
}

await t.test('the docs have snippets, and no more fragments than allowed', async t => {
  const fragments = blocks.filter(({ info }) => /^ts\b.*\bfragment\b/.test(info))
  t.equal(fragments.length, fragmentsAllowed, 'fragments')
  t.ok(snippets.length > 15, `${snippets.length} snippets`)
  t.ok(snippets.filter(({ runs }) => runs).length > 10, 'many snippets run')
  const silent = blocks.filter(({ info }) => info === 'text prints').length
  t.equal(snippets.filter(({ prints }) => prints !== undefined).length, silent)
})

await t.test("every snippet compiles under the project's settings", async t => {
  const problems = compile()
  for (const { page, line } of snippets) {
    const found = problems.filter(
      problem => problem.page === page && problem.block === line,
    )
    t.strictSame(
      found.map(({ message }) => message),
      [],
      `${page}:${line} compiles`,
    )
  }
  const elsewhere = problems.filter(({ page }) => page === undefined)
  t.strictSame(elsewhere, [], 'no other file has errors')
})

await t.test('every snippet marked `run` runs and prints the output shown', async t => {
  await using nats = await startNats()
  for (const page of pages) {
    const cwd = await mkdtemp(join(folder, 'run-'))
    const ofPage = snippets.filter(snippet => snippet.page === page && snippet.runs)
    for (const { line, module, prints } of ofPage) {
      const { code, stdout, stderr } = await run(module, cwd, nats.url)
      t.equal(code, 0, `${page}:${line} ends well${code === 0 ? '' : `: ${stderr}`}`)
      if (prints !== undefined)
        t.equal(
          stdout.trimEnd(),
          prints.trimEnd(),
          `${page}:${line} prints the output shown`,
        )
    }
  }
})

interface Problem {
  readonly page?: string
  readonly block?: number
  readonly message: string
}

/** Compiles all snippets in one program, into `<folder>/out`. */
function compile(): Problem[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const program = ts.createProgram(
    snippets.map(({ module }) => join(folder, 'src', `${module}.ts`)),
    {
      ...options,
      rootDir: join(folder, 'src'),
      outDir: join(folder, 'out'),
      noEmit: false,
      allowJs: false,
      checkJs: false,
    },
  )
  const found = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics]
  return found.map(({ file, start = 0, messageText }) => {
    const message = ts.flattenDiagnosticMessageText(messageText, '\n')
    const module =
      file && relative(join(folder, 'src'), file.fileName).replace(/\.ts$/, '')
    const snippet = snippets.find(one => one.module === module)
    if (snippet === undefined || file === undefined)
      return { message: `${file?.fileName ?? 'the program'}: ${message}` }
    const { page, line: block } = snippet
    const line = block + 1 + file.getLineAndCharacterOfPosition(start).line
    return { page, block, message: `${page}:${line}: ${message}` }
  })
}

async function run(module: string, cwd: string, servers: string) {
  const child = spawn(...bare(process.execPath, join(folder, 'out', `${module}.js`)), {
    cwd,
    env: { ...process.env, NATS_URL: servers },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: runTimeout,
    killSignal: 'SIGKILL',
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}
