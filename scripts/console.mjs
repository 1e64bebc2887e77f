// Builds the pages of the console: everything that a browser loads, in files of its own, without a source outside.
//
// Names of files hold a hash of what is in them. What only some pages need (layout of statecharts, plots) is loaded by those.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { build } from 'esbuild'

const root = 'packages/console'
const web = `${root}/dist/web`

export async function buildConsole() {
  await mkdir(web, { recursive: true })
  const { metafile } = await build({
    entryPoints: [{ in: `${root}/app/main.tsx`, out: 'app' }],
    outdir: web,
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: ['chrome120', 'firefox121', 'safari17'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  const entry = Object.entries(metafile.outputs).find(
    ([, { entryPoint }]) => entryPoint === `${root}/app/main.tsx`,
  )
  if (entry === undefined) throw new Error('esbuild has not built app/main.tsx')
  const [script, { cssBundle = '' }] = entry
  const page = await readFile(`${root}/app/index.html`, 'utf8')
  await writeFile(
    `${web}/index.html`,
    page
      .replace('app.js', `/${basename(script)}`)
      .replace('app.css', `/${basename(cssBundle)}`),
  )
  await writeFile(
    `${root}/dist/LICENSES.txt`,
    await licensesOf(Object.keys(metafile.inputs)),
  )
  await writeFile(`${web}/icon.svg`, await readFile(`${root}/app/icon.svg`))
}

/**
 * The licenses of the packages that are part of the pages: they ask for it.
 * @param {readonly string[]} files
 */
async function licensesOf(files) {
  const names = new Set(
    files.flatMap(file => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []),
  )
  const texts = await Promise.all(
    [...names]
      .sort()
      .map(
        async name =>
          `${name}\n\n${await readFile(`node_modules/${name}/LICENSE`, 'utf8')}`,
      ),
  )
  return texts.join('\n\n')
}
