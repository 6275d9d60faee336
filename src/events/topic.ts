/**
 * A topic is a list of segments, `['bucket', 'users', 'inserted']`, written with dots between them. A segment may hold
 * dots of its own (a bucket may be called `a.b`), so the list, not the text, is what identifies a topic.
 */
export type Segments = readonly string[]

/** A pattern made ready for matching by `parsePattern`. */
export interface Pattern {
  readonly text: string
  readonly segments: Segments
}

/** Makes `text` ready for matching. Every text is a pattern; one that fits no topic simply never matches. */
export function parsePattern(text: string): Pattern {
  return { text, segments: text.split('.') }
}

/** The topic as subscribers see it: the segments with dots between them. */
export function topicText(segments: Segments): string {
  return segments.join('.')
}

/**
 * Whether `pattern` selects the topic.
 *
 * - `*` alone selects everything.
 * - With as many segments as the topic, each must be equal or `*`.
 * - A trailing `*` also stands for one or more further segments; then the segments before it must be equal as they are
 *   (a `*` among them is a star and no wildcard).
 *
 * There is no `**` and no partial wildcard (`us*`). The topic is tried both as its segments and split at every dot, so
 * `bucket.*.*` and `bucket.a.b.*` both select `['bucket', 'a.b', 'inserted']`.
 */
export function matchesTopic(pattern: Pattern, topic: Segments): boolean {
  if (pattern.text === '*') return true
  if (matchesSegments(pattern.segments, topic)) return true
  if (!topic.some((segment) => segment.includes('.'))) return false
  return matchesSegments(pattern.segments, topicText(topic).split('.'))
}

function matchesSegments(pattern: Segments, topic: Segments): boolean {
  const last = pattern.length - 1
  if (pattern.length === topic.length) {
    if (pattern.every((segment, index) => segment === '*' || segment === topic[index])) return true
  }
  if (pattern[last] !== '*' || topic.length < pattern.length) return false
  return pattern.every((segment, index) => index === last || segment === topic[index])
}
