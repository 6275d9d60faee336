/**
 * What the shop knows, and what can happen to it. The application and the command line (`varve check`, `varve rebuild`) load this file:
 * it defines, and does nothing.
 */

/** What is there. Nobody writes to these but the events below, and the projections to theirs. */
export const buckets = {
  products: {
    key: 'item',
    schema: {
      item: { type: 'string' },
      price: { type: 'number', required: true, min: 0 },
      left: { type: 'number', required: true, min: 0 },
    },
  },
  orders: {
    key: 'id',
    schema: {
      id: { type: 'string' },
      item: { type: 'string', required: true },
      count: { type: 'number', required: true },
      total: { type: 'number', required: true },
      state: { type: 'string', enum: ['placed', 'paid', 'cancelled'], required: true },
    },
    indexes: ['state'],
  },
  payments: {
    key: 'id',
    schema: {
      id: { type: 'string', generated: 'uuid' },
      order: { type: 'string', required: true },
      amount: { type: 'number', required: true },
    },
  },
  // Kept by the projections.
  revenue: {
    key: 'item',
    schema: { item: { type: 'string' }, orders: { type: 'number' }, amount: { type: 'number' } },
  },
  daily: {
    key: 'day',
    schema: {
      day: { type: 'string' },
      placed: { type: 'number', default: 0 },
      cancelled: { type: 'number', default: 0 },
      paid: { type: 'number', default: 0 },
    },
  },
}

const text = { type: 'string', required: true }
const number = { type: 'number', required: true, min: 0 }

/** What can happen. */
export const events = {
  'product/delivered': {
    schema: { item: text, count: number, price: number },
    reduce: ({ data: { item, count, price } }, view) => {
      const left = view.bucket('products').get(item)?.left ?? 0
      return { products: { upsert: { item, price, left: left + count } } }
    },
  },

  // `min: 0` of what is left refuses an order of more than there is; then nothing has happened.
  'order/placed': {
    schema: { id: { type: 'string', generated: 'uuid' }, item: text, count: { ...number, min: 1 } },
    reduce: ({ data: { id, item, count } }, view) => {
      const product = view.bucket('products').get(item)
      if (product === undefined) throw new Error(`there is no ${item}`)
      return {
        products: { update: { item, left: product.left - count } },
        orders: { insert: { id, item, count, total: count * product.price, state: 'placed' } },
      }
    },
  },

  'order/cancelled': {
    schema: { id: text },
    reduce: ({ data: { id } }, view) => {
      const order = view.bucket('orders').get(id)
      if (order?.state !== 'placed') throw new Error(`order ${id} cannot be cancelled`)
      const { left } = view.bucket('products').get(order.item)
      return {
        orders: { update: { id, state: 'cancelled' } },
        products: { update: { item: order.item, left: left + order.count } },
      }
    },
  },

  // It is queued when the bank tells of a payment. Those of one order wait for each other, and for nobody else.
  'payment/received': {
    schema: { order: text },
    lane: ({ order }) => order,
    policy: { retries: 2, backoffMs: 100, onFailure: 'park' },
    reduce: ({ data }, view) => {
      const order = view.bucket('orders').get(data.order)
      if (order?.state !== 'placed') throw new Error(`order ${data.order} is not to be paid`)
      return {
        payments: { insert: { order: order.id, amount: order.total } },
        orders: { update: { id: order.id, state: 'paid' } },
        events: [{ type: 'order/paid', data: { item: order.item, amount: order.total } }],
      }
    },
  },

  // Only ever happens as a part of a payment.
  'order/paid': { schema: { item: text, amount: number } },
}

/** What is made of it. */
export const projections = {
  // Part of the commit of each payment: never behind.
  revenue: {
    from: ['order/paid'],
    into: ['revenue'],
    apply({ data: { item, amount } }, tx) {
      const before = tx.bucket('revenue').get(item) ?? { orders: 0, amount: 0 }
      tx.bucket('revenue').upsert({ item, orders: before.orders + 1, amount: before.amount + amount })
    },
  },

  // Follows the log, in commits of its own: nobody who orders waits for it.
  'orders-by-day': {
    from: ['order/*'],
    into: ['daily'],
    mode: 'async',
    apply({ type, at }, tx) {
      const day = new Date(at).toISOString().slice(0, 10)
      const what = type.slice('order/'.length)
      tx.bucket('daily').upsert({ day, [what]: (tx.bucket('daily').get(day)?.[what] ?? 0) + 1 })
    },
  },
}
