import { useState } from 'react'

/** A line to type into. Says why when the store refuses what was typed. */
export function NewItem({ label, onAdd }: { label: string; onAdd: (text: string) => Promise<unknown> }) {
  const [text, setText] = useState('')
  const [refusal, setRefusal] = useState<string>()
  const add = async (): Promise<void> => {
    try {
      setText('')
      await onAdd(text.trim())
      setRefusal(undefined)
    } catch (error) {
      setText(text)
      setRefusal((error as Error).message)
    }
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        void add()
      }}
    >
      <input aria-label={label} placeholder={label} value={text} onChange={(event) => setText(event.target.value)} />
      <button disabled={text.trim() === ''}>Add</button>
      {refusal !== undefined && <p role="alert">{refusal}</p>}
    </form>
  )
}
