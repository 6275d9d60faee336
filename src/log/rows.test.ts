import { expect, it } from 'vitest'
import { RowMirror } from './rows.js'

const meta = { bucket: 'users', key: 'id', counter: 0, fields: [] }
const record = Object.freeze({ id: 'a' })
const put = { op: 'put', bucket: 'users', ordinal: 1, record } as const

it('R1: a delete of a row that is not there is refused, and the steps before it are taken back', () => {
  const rows = new RowMirror()
  rows.apply([{ op: 'define', meta }, put])
  const lost = { op: 'delete', bucket: 'users', ordinal: 9 } as const
  const steps = [
    { op: 'put', bucket: 'users', ordinal: 2, record },
    { op: 'delete', bucket: 'users', ordinal: 1 },
    { op: 'counter', bucket: 'users', counter: 5 },
    { op: 'define', meta: { ...meta, bucket: 'notes' } },
    { op: 'clear', bucket: 'users', seq: 1 },
    { op: 'drop', bucket: 'users', seq: 1 },
  ] as const
  for (let n = 0; n < steps.length; n++) {
    const taken = steps.slice(0, n + 1)
    expect(() => rows.apply([...taken, lost])).toThrow(/R1/)
    expect(rows.rows('users')).toEqual([{ ordinal: 1, record }])
    expect(rows.metas()).toEqual([meta])
  }
})

it('steps that were applied can be taken back', () => {
  const rows = new RowMirror()
  rows.apply([{ op: 'define', meta }, put])
  const undo = rows.applyUndoable([
    { op: 'drop', bucket: 'users', seq: 1 },
    { op: 'define', meta: { ...meta, key: 'k' } },
  ])
  expect(rows.rows('users')).toEqual([])
  undo()
  expect(rows.rows('users')).toEqual([{ ordinal: 1, record }])
  expect(rows.metas()).toEqual([meta])
})
