import type { Condition, Filter } from '../query/filter.js'
import { conditionText } from '../query/filter.js'
import type { Question } from '../query/query-spec.js'

/** What is asked, to be read by people: `sum of total of orders where userId = "a"`. */
export function questionWords({ spec, want }: Question): string {
  const { bucket, filter, order, limit, offset, fields, include } = spec
  const terms = order.map(({ path, isDescending }) => (isDescending ? `${path} desc` : path))
  const asked = want.kind === 'rows' ? '' : `${want.kind}${'path' in want ? ` of ${want.path}` : ''} of `
  const by = want.kind === 'groups' ? ` by ${want.by.join(', ')}` : ''
  const parts = [
    terms.length > 0 && `order by ${terms.join(', ')}`,
    limit !== Number.POSITIVE_INFINITY && `limit ${limit}`,
    offset > 0 && `offset ${offset}`,
    fields !== undefined && `select ${fields.join(', ')}`,
    include.length > 0 && `include ${include.map(({ name }) => name).join(', ')}`,
  ].filter((part) => part !== false)
  const where = filter.conditions.length === 0 ? '' : ` where ${filterWords(filter)}`
  return `${asked}${bucket}${by}${where}${parts.length === 0 ? '' : ` ${parts.join(', ')}`}`
}

/** What a filter asks for, to be read by people: `role = "admin" & age gte 18`. */
export function filterWords({ conditions }: Filter): string {
  return conditions.length === 0 ? 'all records' : conditions.map(conditionWords).join(' & ')
}

function conditionWords(condition: Condition): string {
  const text = conditionText(condition)
  return text.replace(
    /^"([\w.]+)" (eq )?/,
    (_match, path: string, eq?: string) => `${path} ${eq === undefined ? '' : '= '}`,
  )
}
