import { asError } from '../base/errors.js'
import type { EventData } from '../log/entry.js'
import { copyPlainObject, deepFreeze } from '../schema/copy-value.js'
import { EventDefinitionError, UpcastError } from './errors.js'
import type { EventRegistry } from './event-registry.js'

/** Data of an event, and the version of the definition that it fits. */
export interface CurrentData {
  readonly data: EventData
  readonly version: number
}

/**
 * Data of an event of the log, brought to the version of now. Those that nobody has defined are refused or left as they are, as the
 * store does with unknown events.
 *
 * @throws {EventNotDefinedError} @throws {EventDefinitionError} newer code has written it. @throws {UpcastError}
 */
export function upcastData(registry: EventRegistry, type: string, version: number, data: EventData): CurrentData {
  const definition = registry.must(type)
  // What comes out of a log in memory is frozen; what was parsed is not.
  if (definition.version === version || registry.find(type) === undefined) return { version, data: deepFreeze(data) }
  let raised: unknown
  try {
    raised = registry.upcast(definition, data, version)
  } catch (error) {
    if (error instanceof EventDefinitionError) throw error
    throw new UpcastError(type, version, asError(error))
  }
  return { version: definition.version, data: copyPlainObject(`event "${type}": data`, raised) }
}
