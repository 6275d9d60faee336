/** From a closed file to the first answers, against reading and parsing the same rows by hand. The file is in the page cache. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BINDING, openDatabase } from '../contestants/sqlite.mjs'
import { openVarve } from '../contestants/varve.mjs'
import { expect, makeRecords } from '../data.mjs'

export async function openCases({ records: count, dir }) {
  const at = mkdtempSync(join(dir, 'varve-bench-'))
  const file = join(at, 'varve.db')
  const records = makeRecords(count)
  const filled = await openVarve({ file })
  await filled.insertMany(records)
  await filled.close()
  const key = records[count >> 1].id
  const { city } = records[0]
  const inCity = records.filter((record) => record.city === city).length
  const common = { durability: 'disk', ops: 1, isFresh: true, unit: 'ns/open' }

  const rows = [
    {
      ...common,
      contestant: `rows by hand`,
      setup: () => ({}),
      run: (state) => {
        state.database = openDatabase(file)
        return state.database
          .prepare('SELECT record FROM varve_rows_1 ORDER BY ordinal')
          .all()
          .map((row) => JSON.parse(row.record))
      },
      check: (found) => expect(found.length, count, 'rows by hand'),
      teardown: ({ database }) => database.close(),
    },
    ...[false, true].map((twoIndexes) => ({
      ...common,
      contestant: twoIndexes ? 'Varve, two indexes' : 'Varve',
      limit: 'rows by hand',
      target: { max: 1.6 },
      setup: () => ({}),
      run: async (state) => {
        state.one = await openVarve({ file, twoIndexes })
        const people = state.one.store.bucket('people')
        return [await people.get(key), await people.where({ city })]
      },
      check: async ([record, found], { one }) => {
        expect(record.id, key, 'get')
        expect(found.length, inCity, 'where')
        expect(await one.store.bucket('people').count(), count, 'records')
      },
      teardown: ({ one }) => one.close(),
    })),
  ]
  const title = `open a file with ${count} records until the first get and where (limit: read and JSON.parse the rows; ${BINDING})`
  return { cases: [{ name: 'open', title, rows }], close: () => rmSync(at, { recursive: true }) }
}
