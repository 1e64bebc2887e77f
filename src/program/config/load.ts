// Reads a config file. The readers of YAML and TypeScript, `yaml` and `jiti`, are loaded when needed.

import { readdir } from 'node:fs/promises'
import { basename, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { CairnError, messageOf } from '../../model/errors.js'
import {
  checkConfigValue,
  parseJsonConfig,
  parseYamlConfig,
  readConfigText,
} from './bounded.js'
import { type Config, readConfig } from './config.js'

const endings = ['ts', 'mts', 'js', 'mjs', 'json', 'yaml', 'yml']

/**
 * Reads and checks a config file; by default `cairn.config.(ts|mts|js|mjs|json|yaml|yml)` of the
 * current directory. A module exports it as default, or as `config`. Throws `invalid-option`.
 */
export async function loadConfig(file?: string): Promise<Config> {
  const path = file ?? (await findConfig())
  return readConfig(await valueOf(path), basename(path))
}

async function findConfig(): Promise<string> {
  const here = await readdir('.')
  const found = endings
    .map(ending => `cairn.config.${ending}`)
    .filter(name => here.includes(name))
  if (found.length === 1) return found[0]!
  throw invalid(
    found.length === 0
      ? `There is no cairn.config.(${endings.join('|')}) here: create one, or name a file.`
      : `There are several config files here, ${found.join(', ')}: name one, or remove the others.`,
  )
}

async function valueOf(path: string): Promise<unknown> {
  try {
    switch (extname(path)) {
      case '.json':
        return parseJsonConfig(await readConfigText(path))
      case '.yaml':
      case '.yml':
        return await parseYamlConfig(await readConfigText(path))
      case '.ts':
      case '.mts': {
        const { createJiti } = await import('jiti')
        const jiti = createJiti(import.meta.url, { fsCache: false, moduleCache: false })
        return exported(path, await jiti.import(resolve(path)))
      }
      case '.js':
      case '.mjs':
        return exported(path, await import(pathToFileURL(resolve(path)).href))
    }
  } catch (error) {
    throw invalid(`${path} cannot be read: ${messageOf(error)}.`, error)
  }
  throw invalid(
    `${path} is not a config file: use one that ends in .${endings.join(', .')}.`,
  )
}

function exported(path: string, module: unknown): unknown {
  const { default: main, config = main } = module as Record<string, unknown>
  if (config !== undefined) return checkConfigValue(config)
  throw new Error(`${path} exports neither a default nor "config"`)
}

function invalid(message: string, cause?: unknown): CairnError {
  return new CairnError('invalid-option', message, { cause })
}
