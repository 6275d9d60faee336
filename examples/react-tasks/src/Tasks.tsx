import { memo, useState, useTransition } from 'react'
import { useLive, useRecord, useStore } from 'varve/react'
import { NewItem } from './NewItem'

const FILTERS = { All: {}, Open: { done: false }, Done: { done: true } } as const
const ORDERS = { Oldest: ['_createdAt', 'asc'], Newest: ['_createdAt', 'desc'], Title: ['title', 'asc'] } as const

export function Tasks({ projectId }: { projectId: string }) {
  const store = useStore()
  const project = useRecord('projects', projectId)
  const [filter, setFilter] = useState<keyof typeof FILTERS>('All')
  const [order, setOrder] = useState<keyof typeof ORDERS>('Oldest')
  // In a transition the list stays as it is until the other one is there.
  const [isPending, startTransition] = useTransition()
  const [field, direction] = ORDERS[order]
  const tasks = useLive(
    store
      .bucket('tasks')
      .where({ projectId, ...FILTERS[filter] })
      .orderBy(field, direction),
  )
  return (
    <section aria-busy={isPending}>
      <h2>{project?.name}</h2>
      <NewItem label="New task" onAdd={(title) => store.bucket('tasks').insert({ projectId, title })} />
      <div className="controls">
        {(Object.keys(FILTERS) as (keyof typeof FILTERS)[]).map((name) => (
          <button key={name} aria-pressed={name === filter} onClick={() => startTransition(() => setFilter(name))}>
            {name}
          </button>
        ))}
        <select
          aria-label="Order"
          value={order}
          onChange={({ target }) => startTransition(() => setOrder(target.value as keyof typeof ORDERS))}
        >
          {Object.keys(ORDERS).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <ul aria-label="Tasks">
        {tasks.map((task) => (
          <Task key={task.id} task={task} />
        ))}
      </ul>
      {tasks.length === 0 && <p>Nothing here.</p>}
    </section>
  )
}

/** Renders again only when its own record has changed: unchanged rows are the same objects. */
const Task = memo(function Task({ task }: { task: { id: string; title: string; done: boolean } }) {
  const tasks = useStore().bucket('tasks')
  return (
    <li>
      <label>
        <input type="checkbox" checked={task.done} onChange={() => void tasks.update(task.id, { done: !task.done })} />
        {task.title}
      </label>
      <button aria-label={`Delete ${task.title}`} onClick={() => void tasks.delete(task.id)}>
        ×
      </button>
    </li>
  )
})
