import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'

test('asking again finds every change in between, and gives an array of its own each time', async () => {
  const store = await Store.start()
  const users = await store.defineBucket('users', {
    key: 'id',
    schema: { id: { type: 'number', required: true }, role: { type: 'string' }, name: { type: 'string' } },
    indexes: ['role'],
  })
  await users.insertMany([1, 2, 3].map((id) => ({ id, role: 'a', name: 'x' })))
  const ids = async () => (await users.where({ role: 'a' })).map(({ id, name }) => `${id}${name}`)
  for (let i = 0; i < 3; i++) expect(await ids()).toEqual(['1x', '2x', '3x'])
  const first = await users.where({ role: 'a' })
  first.reverse().pop()
  expect(await ids()).toEqual(['1x', '2x', '3x'])
  await users.update(2, { name: 'y' })
  for (let i = 0; i < 3; i++) expect(await ids()).toEqual(['1x', '2y', '3x'])
  await users.delete(1)
  for (let i = 0; i < 3; i++) expect(await ids()).toEqual(['2y', '3x'])
  await users.update(3, { role: 'b' })
  await users.insert({ id: 4, role: 'a', name: 'z' })
  for (let i = 0; i < 3; i++) expect(await ids()).toEqual(['2y', '4z'])
  await users.clear()
  for (let i = 0; i < 3; i++) expect(await ids()).toEqual([])
  await store.stop()
})
