// References by which commands are sent to an actor. They hold no resources.

import { type ActorAddress, checkActorId, checkActorType } from '../model/address.js'
import {
  type AskOptions,
  checkSendOptions,
  type CommandSender,
  type ConflictOutcome,
  type DurableCommandSender,
  refuseSendOptions,
  type SendOptions,
  type SendReceipt,
} from '../model/command-sender.js'
import type { Version } from '../model/version.js'
import type { AnyActorType } from './contract.js'
import type {
  CommandArguments,
  ListedCommandName,
  OutcomeOf,
} from './definition-types.js'
import { checkKnownCommand } from './effects.js'
import { checkCommandData } from './schemas.js'

/** Sends commands to an actor: what a contract is enough for. */
export interface CommandRef<Definition extends AnyActorType = AnyActorType> {
  readonly address: ActorAddress

  /**
   * Sends a command and waits for its outcome: `{ ok: true, version, position, reply,
   * duplicate }`, or `{ ok: false, version, rejection }` if it was rejected. With `expectedVersion`, it is rejected with
   * the code `version-conflict` if the actor is at another version. For the errors see {@link CommandSender.ask}.
   */
  ask<
    Name extends ListedCommandName<Definition>,
    Expected extends Version | undefined = undefined,
  >(
    command: Name,
    ...args: CommandArguments<Definition, Name, AskOptions<Expected>>
  ): Promise<OutcomeOf<Definition, Name> | ConflictOutcome<Expected>>

  /**
   * Sends a command and waits only until the actor's mailbox has accepted it. A later failure is
   * reported by the node that accepted it; a rejection is not reported.
   */
  tell<Name extends ListedCommandName<Definition>>(
    command: Name,
    ...args: CommandArguments<Definition, Name, SendOptions>
  ): Promise<void>

  /**
   * Stores a command for the actor and does not wait for its outcome. It is handled when a node hosts
   * the actor, even if all nodes were down meanwhile. For the errors see {@link DurableCommandSender.send}.
   */
  send<Name extends ListedCommandName<Definition>>(
    command: Name,
    ...args: CommandArguments<Definition, Name, SendOptions>
  ): Promise<SendReceipt>
}

export interface CommandRefPorts {
  readonly sender: CommandSender
  readonly durableSender: DurableCommandSender
}

/** Makes a reference by which commands are sent. Throws `invalid-actor-id`. */
export function commandRef(
  to: AnyActorType,
  id: string,
  { sender, durableSender }: CommandRefPorts,
): CommandRef {
  const type = checkActorType(to.type)
  const address: ActorAddress = Object.freeze({ type, id: checkActorId(id) })
  return {
    address,
    ask: (command: string, data?: unknown, options?: AskOptions) =>
      refuseSendOptions('ask', options) ?? sender.ask(address, command, data, options),
    tell: (command: string, data?: unknown, options?: SendOptions) =>
      refuseSendOptions('tell', options) ?? sender.tell(address, command, data, options),
    async send(command: string, data?: unknown, options?: SendOptions) {
      checkSendOptions('send', options)
      // An unknown command is an error for the caller here; later, no caller waits for it.
      if ('behavior' in to) {
        checkKnownCommand(to, command)
        checkCommandData(to.schemas, address, command, data)
      }
      return durableSender.send(address, command, data, options)
    },
  }
}
