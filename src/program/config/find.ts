// Where config files are. Kept apart from their readers, so that a program without one loads none.

import { readdir } from 'node:fs/promises'

export const configEndings = ['ts', 'mts', 'js', 'mjs', 'json', 'yaml', 'yml'] as const

/** The names of the config files of the current directory. */
export async function configFilesHere(): Promise<readonly string[]> {
  const here = await readdir('.')
  return configEndings
    .map(ending => `cairn.config.${ending}`)
    .filter(name => here.includes(name))
}
