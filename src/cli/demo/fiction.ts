import type { DemoStore } from './buckets.js'
import type { CityInput, CountryInput } from './sources.js'

/** Keys that no real record has: what the demo itself writes, and takes away again. */
export const FICTION = { country: 'XV', firstCity: -1, secondCity: -2 } as const

const CITY_KEYS: readonly number[] = [FICTION.firstCity, FICTION.secondCity]

/** A country that does not exist; its code is one that ISO 3166 leaves to users. */
export function fictionalCountry(): CountryInput {
  return {
    cca2: FICTION.country,
    cca3: 'XVA',
    name: 'Varvia',
    officialName: 'Republic of Varvia',
    region: 'Europe',
    capital: ['Port Varve'],
    areaKm2: 100,
    isLandlocked: false,
    isUnMember: false,
  }
}

/** A city that does not exist, in whichever country. */
export function fictionalCity(cityId: number, name: string, country: string, population: number): CityInput {
  return { cityId, name, country, featureCode: 'PPL', population, location: { lat: 64.1, lon: -21.9 } }
}

/**
 * Takes away everything that the demo has written, in one commit, and nothing else. Run before and after: a run that
 * was killed in between leaves no trace in what the next one shows.
 */
export async function removeFiction(store: DemoStore): Promise<void> {
  await store.transaction(async (tx) => {
    for (const key of CITY_KEYS) await tx.bucket('cities').delete(key)
    await tx.bucket('countries').delete(FICTION.country)
  })
}
