import type { SubEvent } from '../log/entry.js'
import { EventRegistry } from './event-registry.js'
import type { EventType, NamedHandlers } from './event-registry.js'

const REFUSAL =
  'transact is not run in a replay, and this event was not there when its entry was written, so nothing is recorded of it; ' +
  'varve check --run-transact runs it, with whatever it does outside of the store'

/**
 * The definitions of a store for a replay that must do nothing outside of the store: whoever comes to a `transact` fails. Events that had
 * one when they were written do not come there; see `transactOf`.
 */
export class ReplayRegistry extends EventRegistry {
  readonly #of: EventRegistry
  readonly #quiet = new Map<EventType, EventType>()

  /** @param of the definitions; later ones count as well. */
  constructor(of: EventRegistry) {
    super()
    this.#of = of
  }

  override find(type: string): EventType | undefined {
    const found = this.#of.find(type)
    return found && this.#withoutTransact(found)
  }

  override must(type: string): EventType {
    return this.#withoutTransact(this.#of.must(type))
  }

  /** The first type of the events of an entry, sub-events included, whose definition has `transact`. */
  transactOf(event: SubEvent): string | undefined {
    if (hasTransact(this.#of.find(event.type))) return event.type
    for (const sub of event.events ?? []) {
      const found = this.transactOf(sub)
      if (found !== undefined) return found
    }
    return undefined
  }

  #withoutTransact(type: EventType): EventType {
    if (!hasTransact(type)) return type
    let quiet = this.#quiet.get(type)
    if (quiet === undefined) {
      quiet = { ...type, handlers: type.handlers.map(refusing) }
      this.#quiet.set(type, quiet)
    }
    return quiet
  }
}

function hasTransact(type: EventType | undefined): boolean {
  return type !== undefined && type.handlers.some(({ transact }) => transact !== undefined)
}

function refusing(handlers: NamedHandlers): NamedHandlers {
  if (handlers.transact === undefined) return handlers
  const transact = (): never => {
    throw new Error(REFUSAL)
  }
  return { ...handlers, transact }
}
