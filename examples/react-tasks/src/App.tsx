import { useState } from 'react'
import { useDurable, useLive, useStore } from 'varve/react'
import { Projects } from './Projects'
import { Tasks } from './Tasks'

export function App() {
  const store = useStore()
  const projects = useLive(store.bucket('projects').query().orderBy('name'))
  const [chosen, setChosen] = useState<string>()
  const projectId = projects.find(({ id }) => id === chosen)?.id ?? projects[0]?.id
  return (
    <>
      <header>
        <h1>Tasks</h1>
        <Saved />
      </header>
      <main>
        <Projects projects={projects} chosen={projectId} onChoose={setChosen} />
        {projectId !== undefined && <Tasks key={projectId} projectId={projectId} />}
      </main>
    </>
  )
}

/** True to its word: it says "Saved" when the browser has it. */
function Saved() {
  return <output aria-label="State">{useDurable() ? 'Saved' : 'Saving …'}</output>
}
