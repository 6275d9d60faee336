import type { BoundStatement } from './binding.js'

type Prepare = (sql: string) => BoundStatement

/**
 * `prepare` of a binding whose statements keep the names of their columns from when they were made: those with a `*`, whose
 * columns can become others, are made for each call.
 */
export function withFreshColumns(prepare: Prepare): Prepare {
  return (sql) => (sql.includes('*') ? anew(() => prepare(sql)) : prepare(sql))
}

function anew(make: () => BoundStatement): BoundStatement {
  let first: BoundStatement | undefined = make()
  let wide = false
  const once = <T>(work: (native: BoundStatement) => T): T => {
    const native = first ?? make()
    first = undefined
    try {
      if (wide) native.widen?.()
      return work(native)
    } finally {
      native.finalize?.()
    }
  }
  return {
    run: (values) => once((native) => native.run(values)),
    get: (values) => once((native) => native.get(values)),
    all: (values) => once((native) => native.all(values)),
    ...(first.widen === undefined ? {} : { widen: () => void (wide = true) }),
    finalize: () => first?.finalize?.(),
  }
}
