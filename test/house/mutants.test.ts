// Every mutant still changes code that is there: a refactoring must not take one out of the suite unnoticed.

import { readFile } from 'node:fs/promises'

import t from 'tap'

import { mutants } from '../trust/mutants/mutants.mjs'

for (const { name, file, from } of mutants)
  await t.test(`the code that mutant ${name} changes is there once`, async t => {
    const text = await readFile(file, 'utf8')
    t.equal(text.split(from).length - 1, 1, file)
  })
