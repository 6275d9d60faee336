import { assert } from '../base/assert.js'
import { ROUTES_MAX } from './bus.js'
import type { Bus } from './bus.js'
import { matchesTopic } from './topic.js'

/** Throws unless the remembered routes are what a fresh look would find (E2) and nothing is left undelivered (E1). */
export function checkBus<Message>(bus: Bus<Message>): void {
  const { listeners, routes, last, queue, delivering } = bus.parts
  assert(delivering || queue.length === 0, 'E1', `${queue.length} messages left in the queue`)
  assert(routes.size <= ROUTES_MAX, 'E2', `${routes.size} routes`)
  for (const route of [...routes.values(), ...(last === undefined ? [] : [last])]) {
    const fresh = [...listeners].filter((listener) => matchesTopic(listener.pattern, route.segments))
    const same = fresh.length === route.listeners.length && fresh.every((one, i) => one === route.listeners[i])
    assert(same, 'E2', `route ${route.topic} is out of date`)
  }
}
