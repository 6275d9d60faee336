import { assert } from '../base/assert.js'
import type { OrderedList } from './ordered-list.js'

/** Throws unless S3 holds. Visits every item. */
export function checkOrderedList<T>({ parts }: OrderedList<T>): void {
  let before: T | undefined
  for (const chunk of parts.chunks) {
    assert(chunk.length > 0, 'S3', 'a chunk is empty')
    for (const item of chunk) {
      assert(
        before === undefined || parts.compare(before, item) < 0,
        'S3',
        'an item does not come after the one before it',
      )
      before = item
    }
  }
}
