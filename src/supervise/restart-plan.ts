import type { Timer } from '../base/runtime.js'
import type { Child } from './child.js'

/** Children that are to come up again, in the order in which they were started. A child is in one plan at most (P6). */
export class RestartPlan {
  /** Those that have not come up yet. */
  readonly pending: Set<Child>
  /** When it may begin, on the runtime's `elapsed` clock. */
  readonly dueAt: number
  /** Set while it waits to begin. */
  timer: Timer | undefined
  isCancelled = false

  constructor(children: readonly Child[], dueAt: number) {
    this.pending = new Set(children)
    this.dueAt = dueAt
  }

  /** Takes it back: whatever of it has not begun does not begin. */
  cancel(): void {
    this.isCancelled = true
    this.timer?.cancel()
  }

  /** Cleans up, the last started first, then begins one after the other; stops as soon as it is cancelled. */
  async execute(): Promise<void> {
    this.timer = undefined
    for (const child of [...this.pending].reverse()) {
      if (!this.isCancelled && this.pending.has(child)) await child.cleanup('crash')
    }
    for (const child of [...this.pending]) {
      if (!this.isCancelled && this.pending.has(child)) await child.begin()
    }
  }
}
