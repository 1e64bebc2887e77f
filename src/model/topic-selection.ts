// The topics that a reader reads: named ones, and those that a pattern with wildcards matches.

import { CairnError } from './errors.js'
import { show } from './show.js'
import { reservedTopicPrefix, topicCharactersMax } from './topic.js'

/** Topics by a pattern: `*` stands for one name, `>` at the end for one or more. */
export type TopicPattern = `${string}*${string}` | `${string}>`

const name = '[A-Za-z0-9_-]+'
const patternForm = new RegExp(`^(?:(?:${name}|\\*)\\.){0,6}(?:${name}|\\*|>)$`)

/** Whether a text is meant as a pattern, valid or not. */
export function hasWildcard(text: string): boolean {
  return text.includes('*') || text.includes('>')
}

/** Returns the pattern; throws `invalid-definition` for another text. */
export function checkTopicPattern(where: string, pattern: string): string {
  const problem = findProblem(pattern)
  if (problem === undefined) return pattern
  throw new CairnError(
    'invalid-definition',
    `${where} has ${show(pattern)} as topics: ${problem}.`,
    { details: { pattern } },
  )
}

function findProblem(pattern: string): string | undefined {
  if (!hasWildcard(pattern))
    return 'a text is a pattern, and it has no wildcard. Pass a topic made by defineTopic, or a pattern such as "orders.*"'
  if (!patternForm.test(pattern) || pattern.length > topicCharactersMax)
    return (
      'use up to 7 names, joined by dots, of which each is of A-Z, a-z, 0-9, "_" and "-", or "*" for any one name; ">" may ' +
      `be the last, for one or more; ${topicCharactersMax} characters in all`
    )
  if (pattern.startsWith(reservedTopicPrefix))
    return `names that begin with "${reservedTopicPrefix}" are reserved for Cairn. Pass eventsOf(definition) for the events of actors`
  return undefined
}

/** A set of topics. */
export class TopicSelection {
  /** Names of topics, without wildcards. */
  readonly names: ReadonlySet<string>
  readonly patterns: readonly string[]
  readonly #matches: RegExp | undefined

  /** @param texts names of topics, and valid patterns */
  constructor(texts: Iterable<string>) {
    const all = [...new Set(texts)]
    this.names = new Set(all.filter(text => !hasWildcard(text)))
    this.patterns = all.filter(hasWildcard)
    if (this.patterns.length > 0) this.#matches = expressionOf(this.patterns)
  }

  /** Whether a topic is among them. A pattern matches no reserved topic: those are named, by what defines them. */
  has(topic: string): boolean {
    return this.names.has(topic) || this.#matches?.test(topic) === true
  }
}

function expressionOf(patterns: readonly string[]): RegExp {
  const alternatives = patterns.map(pattern =>
    pattern
      .split('.')
      .map(part => (part === '*' ? name : part === '>' ? `${name}(?:\\.${name})*` : part))
      .join('\\.'),
  )
  return new RegExp(`^(?!${reservedTopicPrefix})(?:${alternatives.join('|')})$`)
}
