/** How deep the compiler follows nested fields: deeper ones are any path. */
type Depth = readonly [never, 0, 1, 2, 3]

type Nested<V> =
  NonNullable<V> extends infer O
    ? O extends readonly unknown[]
      ? never
      : O extends object
        ? string extends keyof O
          ? never
          : O
        : never
    : never

type PathIn<R, D extends number> = {
  [N in keyof R & string]:
    | N
    | (D extends 0 ? never : Nested<R[N]> extends never ? never : `${N}.${PathIn<Nested<R[N]>, Depth[D]>}`)
}[keyof R & string]

/** Names of fields, and paths into nested ones (`'address.city'`), for records `R`; any string where they are not known. */
export type FieldPath<R> = string extends keyof R ? string : R extends unknown ? PathIn<R, 4> : never

/** What a record `R` has at path `P`; undefined where it may be missing. */
export type PathValue<R, P> = P extends keyof R
  ? R[P]
  : P extends `${infer N}.${infer Rest}`
    ? N extends keyof R
      ? PathValue<Nested<R[N]>, Rest> | (undefined extends R[N] ? undefined : never)
      : unknown
    : unknown

/** Paths to fields that hold numbers, or may hold them, as a date does. */
export type NumericPath<R> = string extends keyof R
  ? string
  : {
      [P in FieldPath<R>]: Extract<PathValue<R, P>, number> extends never
        ? unknown extends PathValue<R, P>
          ? P
          : never
        : P
    }[FieldPath<R>]
