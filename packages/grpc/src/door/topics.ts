// Topics by their names: other languages have no definitions of ours.

import { CairnError, defineTopic, eventsOf } from 'cairn-es'

export type NamedTopic = ReturnType<typeof defineTopic>

/** `name`, or `name@version`. Throws `invalid-definition`. */
export function topicNamed(text: string): NamedTopic {
  const at = text.lastIndexOf('@')
  if (at < 0) return defineTopic(text)
  return topicOf(text.slice(0, at), Number(text.slice(at + 1)))
}

/** The same, or a pattern of topics: what a reader reads. */
export function topicOrPattern(text: string): NamedTopic | Pattern {
  return /[*>]/.test(text) ? (text as Pattern) : topicNamed(text)
}

type Pattern = `${string}*${string}` | `${string}>`

export function topicOf(name: string, version: number): NamedTopic {
  return defineTopic(name, { schema: anything, version })
}

const anything = {
  '~standard': {
    version: 1,
    vendor: 'cairn',
    validate: (value: unknown) => ({ value }),
  },
} as const

/** The topic of the events of an actor type. */
export function eventsOfType(type: string): NamedTopic {
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(type))
    throw new CairnError(
      'invalid-actor-type',
      `${JSON.stringify(type)} is not an actor type: use a letter, then up to 62 of A-Z, a-z, 0-9, "_" and "-".`,
      { details: { type } },
    )
  // The events as they are stored: this process does not know the type's steps for events of earlier versions.
  const stranger = { type, behavior: {} } as Parameters<typeof eventsOf>[0]
  return eventsOf(stranger) as NamedTopic
}
