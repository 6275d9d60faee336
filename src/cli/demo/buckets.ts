import type { Store } from '../../store.js'

/**
 * The buckets of the demo. `cities.country` points into `countries`; `imports` says what an import set out to do and
 * whether it got there, so that one that was interrupted is never taken for a whole one.
 */
export const BUCKETS = {
  countries: {
    key: 'cca2',
    schema: {
      cca2: { type: 'string', pattern: '^[A-Z]{2}$' },
      cca3: { type: 'string', required: true, unique: true, pattern: '^[A-Z]{3}$' },
      name: { type: 'string', required: true, minLength: 1 },
      officialName: { type: 'string', required: true },
      region: { type: 'string', required: true },
      subregion: { type: 'string' },
      capital: { type: 'array', items: { type: 'string' }, default: [] },
      languages: { type: 'array', items: { type: 'string' }, default: [] },
      currencies: { type: 'array', items: { type: 'string' }, default: [] },
      borders: { type: 'array', items: { type: 'string' }, default: [] },
      areaKm2: { type: 'number', min: 0 },
      isLandlocked: { type: 'boolean', required: true },
      isUnMember: { type: 'boolean', required: true },
    },
    indexes: ['region'],
  },
  cities: {
    key: 'cityId',
    schema: {
      cityId: { type: 'number' },
      name: { type: 'string', required: true, minLength: 1 },
      altName: { type: 'string' },
      country: { type: 'string', required: true, ref: 'countries' },
      featureCode: { type: 'string', required: true },
      adminCode: { type: 'string' },
      muni: { type: 'string' },
      muniSub: { type: 'string' },
      population: { type: 'number', required: true, min: 0 },
      location: {
        type: 'object',
        required: true,
        properties: {
          lat: { type: 'number', required: true, min: -90, max: 90 },
          lon: { type: 'number', required: true, min: -180, max: 180 },
        },
      },
    },
    indexes: ['country', 'featureCode', 'name'],
  },
  imports: {
    key: 'bucket',
    schema: {
      bucket: { type: 'string', enum: ['countries', 'cities'] },
      source: { type: 'string', required: true },
      sourceCount: { type: 'number', required: true },
      plannedCount: { type: 'number', required: true },
      isComplete: { type: 'boolean', required: true },
    },
  },
} as const

/** The store that the demo works on. */
export type DemoStore = Store<typeof BUCKETS>
