import { useQuery, useStore } from 'varve/react'
import { NewItem } from './NewItem'

interface ProjectsProps {
  readonly projects: readonly { readonly id: string; readonly name: string }[]
  readonly chosen: string | undefined
  readonly onChoose: (id: string) => void
}

export function Projects({ projects, chosen, onChoose }: ProjectsProps) {
  const store = useStore()
  const open = useQuery<Record<string, number>>('open-counts')
  return (
    <nav aria-label="Projects">
      <ul>
        {projects.map(({ id, name }) => (
          <li key={id}>
            <button aria-current={id === chosen} onClick={() => onChoose(id)}>
              {name} <span className="count">{open[id] ?? 0}</span>
            </button>
          </li>
        ))}
      </ul>
      <NewItem
        label="New project"
        onAdd={async (name) => onChoose((await store.bucket('projects').insert({ name })).id)}
      />
    </nav>
  )
}
