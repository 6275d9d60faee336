import { assert } from '../base/assert.js'
import type { Child } from './child.js'
import { Process } from './process.js'
import { Supervisor } from './supervisor.js'

/** Throws unless the invariants of `process` hold: P2, P4 and P8. */
export function checkProcess(process: Process): void {
  const { name, state, mailbox, isReady } = process
  const { isAlive, isDirty, opening, refusal } = process.parts
  const at = `process ${name} (${state}, ${mailbox} calls waiting)`
  const mayRun = state === 'running' && mailbox === 0 && refusal === undefined
  assert(!isReady || mayRun, 'P2', `${at} is ready`)
  assert(state !== 'running' || (isAlive && isDirty && opening === undefined), 'P4', at)
  const isOver = state === 'stopped' || state === 'failed'
  assert(!isOver || (!isAlive && mailbox === 0 && refusal !== undefined), 'P8', at)
}

/** Throws unless the invariants of `supervisor` and everything below it hold: P1 to P8. */
export function checkSupervisor(supervisor: Supervisor): void {
  const { name: own, state } = supervisor
  const { children, plans, budget } = supervisor.parts
  const planned: Child[] = []
  for (const plan of plans) {
    assert(!plan.isCancelled, 'P7', `supervisor ${own} keeps a cancelled plan`)
    planned.push(...plan.pending)
  }
  for (const child of planned) {
    assert(children.get(child.name) === child, 'P1', `${child.name} is to restart and is no child`)
  }
  const isUp = state === 'running'
  assert(isUp || plans.size === 0, 'P7', `supervisor ${own} (${state}) has plans`)
  const { spent, intensity } = budget
  assert(spent <= intensity.max, 'P5', `supervisor ${own}: ${spent} restarts of ${intensity.max}`)
  for (const [name, child] of children) {
    assert(child.name === name, 'P3', `${child.name} is known as ${name}`)
    const count = planned.filter((one) => one === child).length
    const expected = isUp && child.state === 'restarting' ? 1 : 0
    assert(count === expected, 'P6', `${name} (${child.state}) is in ${count} plans of ${own} (${state})`)
    checkChild(child)
  }
}

function checkChild(child: Child): void {
  if (child instanceof Supervisor) checkSupervisor(child)
  else if (child instanceof Process) checkProcess(child)
}
