/** What the form of a hook that does not suspend gives. `isLoading` and `error` say which of the three it is. */
export type QueryStatus<T> = LoadingStatus | LoadedStatus<T> | FailedStatus<T>

/** There is no result yet. */
export interface LoadingStatus {
  readonly data: undefined
  readonly error: undefined
  readonly isLoading: true
}

/** There is a result. */
export interface LoadedStatus<T> {
  readonly data: T
  readonly error: undefined
  readonly isLoading: false
}

/** The query has failed. `data` is the last result before that, where there was one. */
export interface FailedStatus<T> {
  readonly data: T | undefined
  readonly error: Error
  readonly isLoading: false
}

/** Nothing was asked. */
export interface SkippedStatus {
  readonly data: undefined
  readonly error: undefined
  readonly isLoading: false
}

/** While there is no result. */
export const LOADING: LoadingStatus = Object.freeze({ data: undefined, error: undefined, isLoading: true })

/** Where nothing was asked. */
export const SKIPPED: SkippedStatus = Object.freeze({ data: undefined, error: undefined, isLoading: false })

/** With a result. */
export function loaded<T>(data: T): LoadedStatus<T> {
  return Object.freeze({ data, error: undefined, isLoading: false })
}

/** After an error. @param data the last result before it. */
export function failed<T>(error: Error, data?: T): FailedStatus<T> {
  return Object.freeze({ data, error, isLoading: false })
}
