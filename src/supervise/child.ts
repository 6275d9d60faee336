import type { VarveError } from '../base/errors.js'

/** Where a process or a supervisor is in its life: calls wait while it (re)starts, and are refused in the last two. */
export type ProcessState = 'starting' | 'running' | 'restarting' | 'failed' | 'stopped'

/**
 * What happens when a run has ended: `permanent`: another begins; `transient`: another begins after a crash, not after
 * `exit`; `temporary`: none begins. Source: Erlang/OTP, `supervisor`, restart types.
 */
export type RestartType = 'permanent' | 'transient' | 'temporary'

/**
 * Who is restarted when a child crashes: it alone; all children; or it and those that were started after it.
 * Source: Erlang/OTP, `supervisor`, restart strategies.
 */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one'

/** Why a run is cleaned up after: its life has ended in order, or what it holds may be broken and is built anew. */
export type StopReason = 'shutdown' | 'crash'

/** One line of what `Supervisor.tree` shows. */
export interface TreeNode {
  readonly name: string
  readonly kind: 'supervisor' | 'process'
  readonly state: ProcessState
  /** How many times it came up again. */
  readonly restarts: number
  /** Calls waiting; of a supervisor, all below it. */
  readonly mailbox: number
  readonly strategy?: Strategy
  /** In the order in which they were started. */
  readonly children?: readonly TreeNode[]
}

/** Something that happened to a child, or to a supervisor itself. */
export interface SupervisionEvent {
  /**
   * `crashed`: a run ended by a bug. `restarted`: it runs again. `failed`: it does not come back. `stop-failed`: its
   * `stop` threw, or did not end in time; life went on without it.
   */
  readonly type: 'crashed' | 'restarted' | 'failed' | 'stop-failed'
  /** Its name. */
  readonly process: string
  readonly error?: Error
  readonly restarts: number
}

/** What a supervisor needs from those below it. Nobody else calls these. */
export interface Child {
  readonly name: string
  readonly restart: RestartType
  readonly state: ProcessState
  readonly restarts: number
  /** Resolves when it has come up once; rejects when it never will, with a handler already attached. */
  readonly started: Promise<void>
  /** Names the supervisor that answers for it from now on. */
  adopt(owner: Owner): void
  /** Begins a run. It resolves, and never rejects, when that run has come up or has ended; the owner is told which. */
  begin(): Promise<void>
  /** Ends the run, if there is one, for another to begin; calls wait. */
  interrupt(): void
  /** Waits for what is left of the last run and lets it release what it holds. Never rejects. */
  cleanup(reason: StopReason): Promise<void>
  /** Ends its life: takes no more calls, finishes those that came before, cleans up. Never rejects. */
  close(error?: VarveError): Promise<void>
  /** Ends the hope of another run. What still runs goes on. */
  fail(cause: Error): void
  tree(): TreeNode
}

/** What a child tells the supervisor above it, always synchronously. */
export interface Owner {
  childRunning(child: Child): void
  /** A run has ended by a crash, or (`cause` undefined) by `exit`. */
  childEnded(child: Child, cause: Error | undefined): void
  /** The first start was answered with an operating error: there is nothing to restart. */
  childRefused(child: Child, error: VarveError): void
  childStopFailed(child: Child, error: Error): void
  /** It was closed directly, not through its owner. */
  childClosed(child: Child): void
  /** Something happened below it. */
  childEvent(event: SupervisionEvent): void
}
