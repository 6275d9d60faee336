import { count, Store } from 'varve/core'
import { indexedDbPlace } from './indexed-db'
import { savedStorage } from './saved-storage'

const buckets = {
  projects: {
    key: 'id',
    schema: {
      id: { type: 'string', generated: 'uuid' },
      name: { type: 'string', required: true, minLength: 1, maxLength: 60, unique: true },
    },
  },
  tasks: {
    key: 'id',
    schema: {
      id: { type: 'string', generated: 'uuid' },
      projectId: { type: 'string', required: true, ref: 'projects' },
      title: { type: 'string', required: true, minLength: 1, maxLength: 200, collate: 'en' },
      done: { type: 'boolean', default: false },
    },
    indexes: [['projectId', 'done']],
  },
} as const

/** The store of this application, with its data from the last time. */
export async function startStore() {
  const store = await Store.start({
    name: 'tasks',
    buckets,
    persistence: { adapter: savedStorage(await indexedDbPlace('react-tasks')) },
  })
  if ((await store.bucket('projects').count()) === 0) await store.bucket('projects').insert({ name: 'Inbox' })
  return store
}

type TaskStore = Awaited<ReturnType<typeof startStore>>

/** How many tasks of each project are open. */
export function defineOpenCounts(store: TaskStore) {
  return store.defineQuery('open-counts', async (ctx) => {
    const rows = await ctx.bucket('tasks').where({ done: false }).groupBy('projectId').aggregate({ open: count() })
    return Object.fromEntries(rows.map(({ projectId, open }) => [projectId, open])) as Record<string, number>
  })
}

declare module 'varve/react' {
  interface Register {
    store: TaskStore
  }
}
