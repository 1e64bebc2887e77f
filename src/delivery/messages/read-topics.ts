// What a reader reads, as its definition says it: topics, and patterns of topics.

import { type AnyTopic, checkTopic } from '../../model/topic.js'
import { checkTopicPattern } from '../../model/topic-selection.js'

/** Topics and patterns, each in the order in which they are given. Throws `invalid-definition`. */
export function readTopics(
  where: string,
  on: unknown,
): { readonly topics: readonly AnyTopic[]; readonly patterns: readonly string[] } {
  const given: readonly unknown[] = Array.isArray(on) ? on : [on]
  const topics: AnyTopic[] = []
  const patterns: string[] = []
  for (const one of given) {
    if (typeof one === 'string') {
      patterns.push(checkTopicPattern(where, one))
      continue
    }
    checkTopic(where, one as AnyTopic)
    topics.push(one as AnyTopic)
  }
  return { topics, patterns }
}
