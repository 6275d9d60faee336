import { Component } from 'react'
import type { ReactNode } from 'react'

/** Shows what went wrong below it, and tries again when asked to. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {}

  static getDerivedStateFromError(error: Error) {
    return { error }
  }

  override render() {
    const { error } = this.state
    if (error === undefined) return this.props.children
    return (
      <div role="alert">
        <p>{error.message}</p>
        <button onClick={() => this.setState({ error: undefined as never })}>Try again</button>
      </div>
    )
  }
}
