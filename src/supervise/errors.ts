import { VarveError } from '../base/errors.js'

/** A process met a bug in this call and is being restarted; calls made now wait. `cause` is the bug. */
export class ProcessCrashedError extends VarveError {
  declare readonly name: 'ProcessCrashedError'
  declare readonly process: string

  constructor(process: string, cause: Error) {
    const remedy = 'this call had no result; the process restarts and takes calls again'
    super('PROCESS_CRASHED', `process "${process}" crashed: ${cause.message}; ${remedy}`, { cause, process })
  }
}

/** A bug has put the process down for good: it crashed too often, or is not to be restarted. `cause` says which. */
export class ProcessFailedError extends VarveError {
  declare readonly name: 'ProcessFailedError'
  declare readonly process: string

  constructor(process: string, cause: Error) {
    const remedy = 'this call had no result; it does not come back; stop what it belongs to and start that again'
    super('PROCESS_FAILED', `process "${process}" is down: ${cause.message}; ${remedy}`, { cause, process })
  }
}

/** The process, or its supervisor, has been stopped and does not come back. The call was not run. */
export class ProcessStoppedError extends VarveError {
  declare readonly name: 'ProcessStoppedError'
  declare readonly process: string

  constructor(process: string) {
    super('PROCESS_STOPPED', `process "${process}" is stopped; the call was not run; start it anew`, { process })
  }
}

/** Another child of the supervisor has this name. Nothing was started. */
export class ProcessExistsError extends VarveError {
  declare readonly name: 'ProcessExistsError'
  declare readonly process: string

  constructor(supervisor: string, process: string) {
    const remedy = 'nothing was started; choose another name, or terminate that one first'
    super('PROCESS_EXISTS', `supervisor "${supervisor}" already has a child "${process}"; ${remedy}`, { process })
  }
}

/** More calls wait for a process than it may keep waiting. The call was not run. */
export class MailboxFullError extends VarveError {
  declare readonly name: 'MailboxFullError'
  declare readonly process: string
  declare readonly callsMax: number

  constructor(process: string, state: string, callsMax: number) {
    const remedy = 'the call was not run; await some of the calls made before, then try again'
    super('MAILBOX_FULL', `process "${process}" (${state}) has ${callsMax} calls waiting, its limit; ${remedy}`, {
      process,
      callsMax,
    })
  }
}

/** Children of a supervisor crashed too often, so it has given up restarting them. `cause` is the last crash. */
export class RestartsExceededError extends VarveError {
  declare readonly name: 'RestartsExceededError'
  declare readonly supervisor: string

  constructor(supervisor: string, max: number, withinMs: number, cause: Error) {
    const seen = `more than ${max} restarts within ${withinMs} ms, the last because of: ${cause.message}`
    super('RESTARTS_EXCEEDED', `supervisor "${supervisor}" gave up: ${seen}; what still runs goes on`, {
      cause,
      supervisor,
    })
  }
}
