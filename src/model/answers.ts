// The way back of a sent command: which commands of its sender hear how it ended.

import type { ActorAddress } from './address.js'
import { checkOptions, type OptionNames } from './check-options.js'
import { CairnError } from './errors.js'
import { show } from './show.js'

/** Who hears how a sent command ended. All of it is stored with the command. */
export interface Answers<
  Refused extends string = string,
  Replied extends string = string,
> {
  /** The sender's command that is sent when the command is rejected. */
  readonly refused?: Refused
  /** The sender's command that is sent when the command is accepted. */
  readonly replied?: Replied
  /** Whether a rejection that no command of the sender hears becomes a dead letter. Default false: it is counted and logged. */
  readonly deadLetter?: boolean
}

const answerNames: OptionNames<Answers> = {
  refused: true,
  replied: true,
  deadLetter: true,
}

/** Throws `invalid-option`. */
export function checkAnswers(what: string, answers: Answers): void {
  checkOptions(what, answers, answerNames)
  const { refused, replied, deadLetter } = answers
  for (const [name, command] of Object.entries({ refused, replied }))
    if (command !== undefined && (typeof command !== 'string' || command === ''))
      throw new CairnError(
        'invalid-option',
        `${what} has ${name}: ${show(command)}: name a command of the actor that sends it.`,
      )
  if (deadLetter !== undefined && typeof deadLetter !== 'boolean')
    throw new CairnError(
      'invalid-option',
      `${what} has deadLetter: ${show(deadLetter)}: use true or false.`,
    )
}

/** The part of an object that says who hears the answer, without what is not set. */
export function answersOf({ refused, replied, deadLetter }: Answers): Answers {
  return {
    ...(refused !== undefined && { refused }),
    ...(replied !== undefined && { replied }),
    ...(deadLetter === true && { deadLetter }),
  }
}

/** The commands of the sender that hear the answer. */
export function hearersOf({ refused, replied }: Answers): string[] {
  return [refused, replied].filter(name => name !== undefined)
}

/** What a command was about, as the command that hears its answer gets it. */
export interface AnsweredCommand<Name = string, Data = unknown> {
  /** The actor that it was sent to. */
  readonly actor: ActorAddress
  readonly command: Name
  /** Its data. */
  readonly data: Data
}

/** The id of the command that brings an answer: there is one for each sent command. */
export function answerId(commandId: string): string {
  return `${commandId}:answer`
}
