// The API report: every name of every door of the package, with its kind and signature, in
// api/*.txt. `npm run api` writes it; with `--check` a report that is not up to date is an error,
// and the names that differ are printed. It reads dist/, so build first.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import ts from 'typescript'

const root = new URL('../', import.meta.url)

/** @typedef {{ door: string, file: string, entries: Map<string, string> }} Report */

/**
 * The doors with types, from `exports` of package.json.
 * @returns {Promise<{ door: string, file: string, types: string }[]>}
 */
async function doors() {
  const manifest = JSON.parse(await readFile(new URL('package.json', root), 'utf8'))
  return Object.entries(manifest.exports).flatMap(([path, target]) => {
    if (target.types === undefined) return []
    const name = path === '.' ? 'index' : path.slice(2)
    const types = new URL(target.types, root).pathname
    return [{ door: manifest.name + path.slice(1), file: `api/${name}.txt`, types }]
  })
}

/** @returns {Promise<Report[]>} */
async function reports() {
  const all = await doors()
  const program = ts.createProgram(
    all.map(({ types }) => types),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ['node'],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
    },
  )
  const checker = program.getTypeChecker()
  return all.map(({ door, file, types }) => {
    const source = program.getSourceFile(types)
    const module = source && checker.getSymbolAtLocation(source)
    if (module === undefined) throw new Error(`${types} is no module: build first.`)
    const names = checker.getExportsOfModule(module).map(symbol => {
      const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
      const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol
      const text = signatures(target)
      const alias = symbol.name === target.name ? '' : `${symbol.name} is `
      return /** @type {const} */ ([symbol.name, alias + text])
    })
    const sorted = names.toSorted(([a], [b]) => (a < b ? -1 : 1))
    return { door, file, entries: new Map(sorted) }
  })
}

const printer = ts.createPrinter({ removeComments: true })

/**
 * The declarations of a symbol, without comments and private members.
 * @param {ts.Symbol} symbol
 */
function signatures(symbol) {
  const declarations = symbol.declarations ?? []
  if (declarations.length === 0) throw new Error(`${symbol.name} has no declaration.`)
  return declarations.map(signature).join('\n')
}

/** @param {ts.Declaration} declaration */
function signature(declaration) {
  const isVariable = ts.isVariableDeclaration(declaration)
  const node = ts.isClassDeclaration(declaration) ? publicPart(declaration) : declaration
  const text = printer.printNode(
    ts.EmitHint.Unspecified,
    node,
    declaration.getSourceFile(),
  )
  return (isVariable ? `const ${text};` : text).replace(/^(export |declare )+/, '')
}

/** @param {ts.ClassDeclaration} declaration */
function publicPart(declaration) {
  const { modifiers, name, typeParameters, heritageClauses } = declaration
  const members = declaration.members.filter(member => {
    const isPrivateName = member.name !== undefined && ts.isPrivateIdentifier(member.name)
    const hidden = ts.ModifierFlags.Private
    return !isPrivateName && (ts.getCombinedModifierFlags(member) & hidden) === 0
  })
  return ts.factory.updateClassDeclaration(
    declaration,
    modifiers,
    name,
    typeParameters,
    heritageClauses,
    members,
  )
}

/** @param {Report} report */
function textOf({ door, entries }) {
  const head = `${door}: ${entries.size} names. Written by "npm run api".`
  return `${[head, ...entries.values()].join('\n\n')}\n`
}

/**
 * What differs between the report on disk and the one of this build, by name.
 * @param {string} before
 * @param {Report} report
 */
function differences(before, { entries }) {
  const old = new Set(before.trimEnd().split('\n\n').slice(1))
  const now = new Set(entries.values())
  const marked = (/** @type {string} */ mark, /** @type {string} */ text) =>
    text.replaceAll(/^/gm, mark)
  return [
    ...[...old].filter(entry => !now.has(entry)).map(entry => marked('- ', entry)),
    ...[...now].filter(entry => !old.has(entry)).map(entry => marked('+ ', entry)),
  ]
}

const isCheck = process.argv.includes('--check')
await mkdir(new URL('api/', root), { recursive: true })
for (const report of await reports()) {
  const file = new URL(report.file, root)
  const text = textOf(report)
  if (!isCheck) {
    await writeFile(file, text)
    console.log(`${report.file}: ${report.entries.size} names`)
    continue
  }
  const before = await readFile(file, 'utf8').catch(() => '')
  if (before === text) continue
  console.error(`${report.file} is not up to date: run "npm run api" and commit it.`)
  console.error(`${differences(before, report).join('\n\n')}\n`)
  process.exitCode = 1
}
