// What records beside the log have in common: how their headers are read, and who caused them.
//
//   Cairn-Wire      1
//   Cairn-Correlation, Cairn-Causation, traceparent    where known

import { definedCauses } from '../model/causes.js'
import type { Causes } from '../model/commit.js'
import { show } from '../model/show.js'
import { wireVersion } from './envelope.js'
import { decodeHeader, encodeHeader } from './headers.js'

/** As a place gives them, each still encoded. */
export type RecordHeaders = Readonly<Record<string, string>>

export const wireHeader: [string, string] = ['Cairn-Wire', String(wireVersion)]

/** Why a record is not for this build to read, by its wire version; `undefined`: it is. */
export function findWireProblem(headers: RecordHeaders): string | undefined {
  const wire = headers['Cairn-Wire']
  if (wire === String(wireVersion)) return undefined
  return `its wire version is ${show(wire)}, and this build reads ${wireVersion}`
}

/** Reads the headers of a record by name. Throws for one that is not decodable. */
export function headerReader(
  headers: RecordHeaders,
): (name: string) => string | undefined {
  return name => {
    const value = headers[name]
    return value === undefined ? undefined : decodeHeader(value)
  }
}

export function encodeCauses({
  correlationId,
  causationId,
  traceparent,
}: Causes): [string, string][] {
  const named: [string, string | undefined][] = [
    ['Cairn-Correlation', correlationId],
    ['Cairn-Causation', causationId],
    ['traceparent', traceparent],
  ]
  return named.flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, encodeHeader(value)]],
  )
}

export function decodeCauses(header: (name: string) => string | undefined): Causes {
  return definedCauses({
    correlationId: header('Cairn-Correlation'),
    causationId: header('Cairn-Causation'),
    traceparent: header('traceparent'),
  })
}
