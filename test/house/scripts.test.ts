// The scripts of package.json name files that exist. Nothing else would notice: the suite does not run the long tests.

import { readdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import t from 'tap'

const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
  scripts: Record<string, string>
}

for (const [name, script] of Object.entries(scripts)) {
  const paths = script.match(/(?<=\s)(?:test|scripts|bench|src)\/\S+/g) ?? []
  for (const path of paths)
    await t.test(`${name}: ${path}`, async t => {
      const files = await readdir(dirname(path)).catch(() => [])
      const pattern = path.slice(path.lastIndexOf('/') + 1)
      const [start, end] = pattern.split('*') as [string, string?]
      const found = files.filter(file =>
        end === undefined
          ? file === pattern
          : file.startsWith(start) && file.endsWith(end),
      )
      t.not(found.length, 0, 'there is such a file')
    })
}
