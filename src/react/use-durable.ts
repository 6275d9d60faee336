import { useCallback, useSyncExternalStore } from 'react'
import { StoreStoppedError } from '../commit/errors.js'
import { useProvided } from './store-provider.js'

/**
 * Whether everything that was written so far is durable, at the store's level: for showing "saved". Renders again only when that
 * changes. On the server it is true.
 */
export function useDurable(): boolean {
  const { store } = useProvided('useDurable()')
  const listen = useCallback(
    (listener: () => void) => {
      try {
        return store.onPosition(listener)
      } catch (error) {
        // Nothing moves any more.
        if (error instanceof StoreStoppedError) return () => undefined
        throw error
      }
    },
    [store],
  )
  const isDurable = (): boolean => store.position.visible === store.position.durable
  return useSyncExternalStore(listen, isDurable, () => true)
}
