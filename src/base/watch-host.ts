/**
 * Runs `work`, which must be synchronous, and calls `onUse` when it asks the host for the time or for chance: `Date.now`,
 * `new Date()`, `Math.random`, `crypto.randomUUID`, `crypto.getRandomValues`, `performance.now`. It gets its answers.
 */
export function watchHost<T>(work: () => T, onUse: (name: string) => void): T {
  const { Date: HostDate, Math: hostMath, crypto: hostCrypto, performance: hostPerformance } = globalThis
  const restore: (() => void)[] = []
  const watch = (target: object, holder: string, method: string): void => {
    const own = Object.getOwnPropertyDescriptor(target, method)
    const plain = Reflect.get(target, method) as (...args: unknown[]) => unknown
    Object.defineProperty(target, method, {
      configurable: true,
      writable: true,
      value: (...args: unknown[]) => {
        onUse(`${holder}.${method}`)
        return plain.apply(target, args)
      },
    })
    restore.push(() => {
      if (own === undefined) Reflect.deleteProperty(target, method)
      else Object.defineProperty(target, method, own)
    })
  }
  const WatchedDate: DateConstructor = new Proxy(HostDate, {
    construct(target, args: unknown[], newTarget): object {
      if (args.length === 0) onUse('new Date()')
      return Reflect.construct(target, args, newTarget === WatchedDate ? target : newTarget) as object
    },
    apply(target, self, args) {
      onUse('Date()')
      return Reflect.apply(target, self, args) as string
    },
  })
  try {
    watch(HostDate, 'Date', 'now')
    watch(hostMath, 'Math', 'random')
    watch(hostCrypto, 'crypto', 'randomUUID')
    watch(hostCrypto, 'crypto', 'getRandomValues')
    watch(hostPerformance, 'performance', 'now')
    globalThis.Date = WatchedDate
    restore.push(() => (globalThis.Date = HostDate))
    return work()
  } finally {
    for (const undo of restore.reverse()) undo()
  }
}
