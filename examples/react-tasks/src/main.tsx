import { StrictMode, Suspense } from 'react'
import { createRoot } from 'react-dom/client'
import { StoreProvider } from 'varve/react'
import { App } from './App'
import { ErrorBoundary } from './ErrorBoundary'
import { defineOpenCounts, startStore } from './store'
import './style.css'

const root = createRoot(document.getElementById('root') as HTMLElement)

// One page has the data at a time: each saves buckets as a whole, and two would undo what the other has done.
const patience = setTimeout(() => root.render(<p role="status">Tasks are open in another tab.</p>), 500)
void navigator.locks.request('react-tasks', async () => {
  clearTimeout(patience)
  const store = await startStore()
  defineOpenCounts(store)
  root.render(
    <StrictMode>
      <StoreProvider store={store}>
        <ErrorBoundary>
          <Suspense fallback={<p role="status">Loading …</p>}>
            <App />
          </Suspense>
        </ErrorBoundary>
      </StoreProvider>
    </StrictMode>,
  )
  // Held until the page goes.
  await new Promise(() => undefined)
})
