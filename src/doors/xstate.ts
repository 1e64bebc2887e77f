// The door `cairn-es/xstate`: XState machines as durable actors with all their types, and what a
// behavior that is not made by `defineActor` or `fromMachine` needs. The main door has `fromMachine`
// and `actorAt`, too, so the types of XState are loaded there as well; the other doors load none.

// Machines
export { fromMachine } from '../machine/from-machine.js'
export { actorAt, type DurableTarget, type SentTo } from '../machine/actor-at.js'
export type {
  EmitsOf,
  EndedChild,
  LateDelay,
  MachineChild,
  MachineCommands,
  MachineDefinition,
  MachineEvents,
  MachineMigration,
  MachineOptions,
  MachineSchemas,
  MachineRefMethods,
  MachineRefusal,
  MachineReply,
  MachineState,
  MachineTimer,
  MachineTimerOutcome,
  MachineTimers,
  PayloadOf,
} from '../machine/types.js'

// Behaviors
export type { StateReader } from '../actor/definition.js'
export type {
  AcceptedDecision,
  AfterCommitContext,
  Behavior,
  Decision,
  RejectedDecision,
  RemoteBehavior,
} from '../model/behavior.js'
export type { ChildContext, ChildEnd, ChildSpec, RunningChild } from '../model/child.js'
