import { asError } from '../base/errors.js'
import { matchesTopic, parsePattern, topicText, type Pattern, type Segments } from './topic.js'

/** Called with each message of a matching topic. What it returns is ignored, except that a rejection is reported. */
export type Handler<Message> = (message: Message, topic: string) => unknown

/** Told what a handler threw or rejected with. */
export type HandlerErrorCallback = (error: Error, topic: string) => void

/** A subscription. */
export interface Listener<Message> {
  readonly pattern: Pattern
  readonly handler: Handler<Message>
  active: boolean
}

/** The listeners of one topic at one moment; never changed once made, so a running delivery can hold on to it. */
export interface Route<Message> {
  readonly topic: string
  readonly segments: Segments
  readonly listeners: readonly Listener<Message>[]
}

/** A message on its way. */
export interface Delivery<Message> {
  readonly route: Route<Message>
  readonly message: Message
}

/** Topics whose listeners are remembered; beyond it all are forgotten and found again. */
export const ROUTES_MAX = 1_024

/** The inside of a bus. */
export interface BusParts<Message> {
  readonly listeners: ReadonlySet<Listener<Message>>
  readonly routes: ReadonlyMap<string, Route<Message>>
  readonly last: Route<Message> | undefined
  readonly queue: readonly Delivery<Message>[]
  readonly delivering: boolean
}

/**
 * Hands messages to whoever subscribed to their topic, synchronously and in order of subscription.
 *
 * A message published by a handler waits until the current one has reached everybody, so all handlers see all messages
 * in one order (E1). A handler gets exactly the messages published between its subscription and its removal; one that
 * is removed is not called again, not even with a message on its way (E2). What a handler throws, or rejects with,
 * goes to `onError` and concerns nobody else.
 */
export class Bus<Message> {
  readonly #onError: HandlerErrorCallback
  readonly #listeners = new Set<Listener<Message>>()
  readonly #routes = new Map<string, Route<Message>>()
  #lastRoute: Route<Message> | undefined
  #queue: Delivery<Message>[] = []
  #delivering = false
  #callbackError: Error | undefined

  constructor(onError: HandlerErrorCallback) {
    this.#onError = onError
  }

  /** True while nobody is subscribed to anything. */
  get isIdle(): boolean {
    return this.#listeners.size === 0
  }

  /** What `onError` itself threw last: a bug in it, kept here because there is nobody else to tell. */
  get callbackError(): Error | undefined {
    return this.#callbackError
  }

  /**
   * Subscribes `handler` to every topic that `pattern` selects (see `matchesTopic`).
   *
   * @returns ends this subscription; calling it again does nothing.
   */
  on(pattern: string, handler: Handler<Message>): () => void {
    const listener: Listener<Message> = { pattern: parsePattern(pattern), handler, active: true }
    this.#listeners.add(listener)
    this.#forgetRoutes()
    return () => {
      if (!listener.active) return
      listener.active = false
      this.#listeners.delete(listener)
      this.#forgetRoutes()
    }
  }

  /** Whether a message on this topic would reach anybody; ask first where building the message costs something. */
  hasListeners(segments: Segments): boolean {
    return this.#listeners.size > 0 && this.#routeOf(segments).listeners.length > 0
  }

  /** Delivers `message` to the handlers of its topic: at once, or in turn when a delivery is running. Never throws. */
  publish(segments: Segments, message: Message): void {
    if (this.#listeners.size === 0) return
    const route = this.#routeOf(segments)
    if (route.listeners.length === 0) return
    if (this.#delivering) {
      this.#queue.push({ route, message })
      return
    }
    this.#delivering = true
    this.#deliver(route, message)
    // The queue may grow while it is walked: handlers publish.
    for (let index = 0; index < this.#queue.length; index += 1) {
      const next = this.#queue[index] as Delivery<Message>
      this.#deliver(next.route, next.message)
    }
    if (this.#queue.length > 0) this.#queue = []
    this.#delivering = false
  }

  /** For `checkBus`, which is apart so that no bundle has it. */
  get parts(): BusParts<Message> {
    return {
      listeners: this.#listeners,
      routes: this.#routes,
      last: this.#lastRoute,
      queue: this.#queue,
      delivering: this.#delivering,
    }
  }

  #forgetRoutes(): void {
    this.#routes.clear()
    this.#lastRoute = undefined
  }

  #deliver(route: Route<Message>, message: Message): void {
    for (const listener of route.listeners) {
      if (!listener.active) continue
      try {
        const result = listener.handler(message, route.topic)
        if (result !== undefined && result !== null) this.#follow(result, route.topic)
      } catch (thrown) {
        this.#report(thrown, route.topic)
      }
    }
  }

  #follow(result: unknown, topic: string): void {
    if (typeof result !== 'object' && typeof result !== 'function') return
    // `resolve` takes any thenable, also one whose `then` throws.
    Promise.resolve(result).then(undefined, (thrown: unknown) => this.#report(thrown, topic))
  }

  #report(thrown: unknown, topic: string): void {
    try {
      this.#onError(asError(thrown), topic)
    } catch (second) {
      this.#callbackError = asError(second)
    }
  }

  #routeOf(segments: Segments): Route<Message> {
    // Writes come in runs on one topic; comparing the segments is ten times cheaper than joining and hashing them.
    if (this.#lastRoute !== undefined && sameSegments(this.#lastRoute.segments, segments)) return this.#lastRoute
    const topic = topicText(segments)
    const known = this.#routes.get(topic)
    if (known !== undefined && sameSegments(known.segments, segments)) return (this.#lastRoute = known)
    // Bounded by forgetting everything: a store has few topics, and finding them again is a walk over the listeners.
    if (this.#routes.size >= ROUTES_MAX) this.#routes.clear()
    const route = { topic, segments: [...segments], listeners: this.#listenersOf(segments) }
    this.#routes.set(topic, route)
    this.#lastRoute = route
    return route
  }

  #listenersOf(segments: Segments): Listener<Message>[] {
    return [...this.#listeners].filter((listener) => matchesTopic(listener.pattern, segments))
  }
}

function sameSegments(a: Segments, b: Segments): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false
  return true
}
