import type { StandardSchemaV1 } from '@standard-schema/spec'

/** What a field holds; see `FieldDefinition.type`. */
export type FieldType = 'string' | 'number' | 'boolean' | 'object' | 'array' | 'date'
/** Who makes a missing value: random ids, the bucket's counter, or the clock. */
export type GeneratedType = 'uuid' | 'cuid' | 'autoincrement' | 'timestamp'
/** What a string looks like: see `isValidEmail`, `isValidUrl`, `isValidIsoDate`. */
export type FormatType = 'email' | 'url' | 'iso-date'

/** One field of a schema. Options that do not fit the type, or each other, are refused when the bucket is defined. */
export interface FieldDefinition {
  /** `date` holds an ISO 8601 string or a number of milliseconds; a `Date` that is given is stored as its ISO string. */
  readonly type: FieldType
  /** Refuse the record when the value is missing or null. */
  readonly required?: boolean
  /** Used where the value is missing on insert; a function is called for each record. */
  readonly default?: unknown
  /** Made by the store where the value is missing on insert; never changed by updates. */
  readonly generated?: GeneratedType
  /** No two records have the same value; missing and null do not count. Not in `properties` and `items`. */
  readonly unique?: boolean
  readonly enum?: readonly unknown[]
  readonly format?: FormatType
  /** Smallest number, inclusive. */
  readonly min?: number
  /** Largest number, inclusive. */
  readonly max?: number
  /** Smallest length of a string (UTF-16 code units) or an array. */
  readonly minLength?: number
  readonly maxLength?: number
  /** Source of a regular expression that a string must contain a match of; anchor it with ^ and $ to match the whole. */
  readonly pattern?: string
  /** Names the bucket whose keys this field has, for `include`. Kept as information; not enforced. */
  readonly ref?: string
  /**
   * How `orderBy` compares strings of this field: a locale (`'de'`), or options of `Intl.Collator` with one. Without it, by
   * UTF-16 code unit, the same everywhere. Not in `properties` and `items`.
   */
  readonly collate?: string | CollateOptions
  /** Fields of an `object`. Fields that are not named here are kept. */
  readonly properties?: { readonly [field: string]: FieldDefinition }
  /** What each item of an `array` is. */
  readonly items?: FieldDefinition
}

/** A field: a definition, or any Standard Schema validator (zod, valibot, arktype …). */
export type SchemaField = FieldDefinition | StandardSchemaV1

/** The fields of a bucket, or one Standard Schema validator for the whole record. */
export type SchemaDefinition = { readonly [field: string]: SchemaField }

/** How strings are compared: a locale, and options of `Intl.Collator`. */
export interface CollateOptions {
  readonly locale: string
  readonly sensitivity?: 'base' | 'accent' | 'case' | 'variant'
  readonly numeric?: boolean
  readonly caseFirst?: 'upper' | 'lower' | 'false'
  readonly ignorePunctuation?: boolean
}

/**
 * An index: a field, a list of fields, or either with options. Fields may be paths into nested ones (`'address.city'`). One
 * field is found by value, and put in order when a query first needs that; several are kept in order from the start.
 */
export type IndexDefinition =
  | string
  | readonly string[]
  | {
      readonly fields: readonly string[]
      /** No two records have the same values; a record that lacks one of them does not count. */
      readonly unique?: boolean
      /** A filter: the index has the records that match it, and serves the queries that ask for all of its conditions. */
      readonly where?: object
    }

/** What `defineBucket` takes. Checked, copied and frozen when it is given: changing it later has no effect. */
export interface BucketDefinition {
  /** Name of the field whose value identifies a record. */
  readonly key: string
  readonly schema: SchemaDefinition | StandardSchemaV1
  /** Indexes, besides those of the unique fields, which always have one. */
  readonly indexes?: readonly IndexDefinition[]
  /** `ordered_set`: `first`, `last`, `paginate` and `keys` go by key instead of by insertion. */
  readonly etsType?: 'set' | 'ordered_set'
  /** `false`: this bucket is not stored even when the store has a file. Default true. */
  readonly persistent?: boolean
  /** How long a record lives: milliseconds, or `'30s'`, `'5m'`, `'1h'`, `'7d'`. */
  readonly ttl?: number | string
  /** Most records the bucket holds; at least 1. */
  readonly maxSize?: number
  /** Which record goes when the bucket is full: the one inserted first (default), or the one used longest ago. */
  readonly eviction?: 'oldest' | 'lru'
  /** Refuse fields that the schema does not name. Default false: they are kept. */
  readonly strict?: boolean
  /** Writes are dispatched as events of type `bucket/<name>`, so that reducers of yours can join in. Default false. */
  readonly sourced?: boolean
}

/** Names of the fields of `RecordMeta`, in their order in a record. */
export const META_FIELDS: readonly string[] = [
  '_version',
  '_createdAt',
  '_updatedAt',
  '_expiresAt',
] satisfies (keyof RecordMeta)[]

/** The metadata that the store adds to every record. Times are milliseconds since 1970. */
export interface RecordMeta {
  /** 1 after the insert, one more after each update. */
  readonly _version: number
  readonly _createdAt: number
  readonly _updatedAt: number
  /** When the record goes; only in buckets with a `ttl`, or where the insert named it. */
  readonly _expiresAt?: number
}
