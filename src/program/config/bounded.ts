// Reads the text of a config file, and its value, within bounds. The parsers' own errors quote the text, which may hold
// a password; errors from here do not.
//
// A config file may come from a repository, a ticket or a generator: a reader that follows it without end, or makes a
// million values of ten lines, stops a deployment.

import { readFile, stat } from 'node:fs/promises'
import { runInNewContext } from 'node:vm'

import type * as Yaml from 'yaml'

import { messageOf } from '../../model/errors.js'
import { show } from '../../model/show.js'

/** Bytes of a config file, at most. */
const configBytesMax = 256 * 1024
/** Values in it, at most: an alias in YAML counts as what it stands for. */
const valuesMax = 20_000
const depthMax = 32
/** Milliseconds to read it. */
const timeMax = 5_000
/** Aliases in a YAML file, at most. */
const aliasesMax = 100

/** Throws an `Error` that says what is wrong. */
export async function readConfigText(path: string): Promise<string> {
  const found = await stat(path)
  if (!found.isFile()) throw new Error('it is not a file')
  if (found.size > configBytesMax)
    throw new Error(
      `it has ${found.size} bytes, and the limit is ${configBytesMax}: split it, or name the file that you mean`,
    )
  return readFile(path, 'utf8')
}

export function parseJsonConfig(text: string): unknown {
  return checkConfigValue(parseJson(text))
}

function parseJson(text: string): unknown {
  let where: string
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    where =
      /at position \d+(?: \(.*?\))?/.exec(messageOf(error))?.[0] ?? 'it ends too early'
  }
  throw new Error(`it is not JSON (${where})`)
}

export async function parseYamlConfig(text: string): Promise<unknown> {
  const yaml = await import('yaml')
  checkYamlNesting(text)
  // Some texts take the package a time that grows with the square of their length.
  return withinTime(() => readYaml(yaml, text))
}

function readYaml(
  { isMap, isScalar, LineCounter, parseDocument, visit }: typeof Yaml,
  text: string,
): unknown {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    // The package would compare each key with all others of its map.
    uniqueKeys: false,
    logLevel: 'silent',
  })
  const [problem] = document.errors
  if (problem !== undefined) {
    const { line, col } = lineCounter.linePos(problem.pos[0])
    throw new Error(`it is not YAML (${problem.code} at line ${line}, column ${col})`)
  }
  visit(document, {
    Map(_key, node) {
      if (!isMap(node)) return
      const keys = new Set<unknown>()
      for (const { key } of node.items) {
        const name = isScalar(key) ? key.value : key
        if (keys.has(name)) throw new Error(`it has the key ${show(name)} twice`)
        keys.add(name)
      }
    },
  })
  return checkConfigValue(document.toJS({ maxAliasCount: aliasesMax }))
}

/** Runs `work`, and interrupts it after five seconds. */
function withinTime<T>(work: () => T): T {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined
  const run = () => {
    try {
      outcome = { value: work() }
    } catch (error) {
      // The package follows nesting by recursion.
      outcome = { error: error instanceof RangeError ? tooDeep() : error }
    }
  }
  try {
    runInNewContext('run()', { run }, { timeout: timeMax })
  } catch {
    throw new Error(`it takes more than ${timeMax} ms to read: shorten or simplify it`)
  }
  if ('error' in outcome!) throw outcome.error
  return outcome!.value
}

/** Throws an `Error` unless the value is within the bounds. Returns it. */
export function checkConfigValue(value: unknown): unknown {
  const waiting: { readonly value: unknown; readonly depth: number }[] = [
    { value, depth: 0 },
  ]
  let values = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (++values > valuesMax) throw tooMany()
    const { depth } = next
    if (typeof next.value !== 'object' || next.value === null) continue
    if (depth === depthMax) throw tooDeep()
    for (const item of Object.values(next.value))
      waiting.push({ value: item, depth: depth + 1 })
  }
  return value
}

/** What is nested too deeply is refused before it is read. */
function checkYamlNesting(text: string): void {
  const indicators = text.match(/[[{]/g)?.length ?? 0
  if (indicators > valuesMax) throw tooMany()
  for (const line of text.split('\n')) {
    // Brackets in texts count, too: no text of a config file has so many.
    const opened = line.match(/[[{]/g)?.length ?? 0
    const indents = /^[\s?:-]*/.exec(line)![0]
    const dashes = indents.match(/[?:-]/g)?.length ?? 0
    if (opened > 16 * depthMax || dashes > depthMax) throw tooDeep()
  }
}

function tooMany(): Error {
  return new Error(`it has more than ${valuesMax} values: split it`)
}

function tooDeep(): Error {
  return new Error(`it is nested deeper than ${depthMax} levels`)
}
