// Reads a config file. The reader of YAML, `yaml`, is loaded when needed.

import { basename, extname, resolve } from 'node:path'

import { CairnError, messageOf } from '../../model/errors.js'
import {
  checkConfigValue,
  parseJsonConfig,
  parseYamlConfig,
  readConfigText,
} from './bounded.js'
import { importModule } from '../typescript.js'
import { type Config, readConfig } from './config.js'
import { configEndings, configFilesHere } from './find.js'

/**
 * Reads and checks a config file; by default `cairn.config.(ts|mts|js|mjs|json|yaml|yml)` of the
 * current directory. A module exports it as default, or as `config`. Throws `invalid-option`.
 */
export async function loadConfig(file?: string): Promise<Config> {
  const path = file ?? (await findConfig())
  return readConfig(await valueOf(path), basename(path))
}

async function findConfig(): Promise<string> {
  const found = await configFilesHere()
  if (found.length === 1) return found[0]!
  throw invalid(
    found.length === 0
      ? `There is no cairn.config.(${configEndings.join('|')}) here: create one, or name a file.`
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
      case '.mts':
      case '.js':
      case '.mjs':
        return exported(path, await importModule(resolve(path)))
    }
  } catch (error) {
    throw invalid(`${path} cannot be read: ${messageOf(error)}.`, error)
  }
  throw invalid(
    `${path} is not a config file: use one that ends in .${configEndings.join(', .')}.`,
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
