// Before a release is published: says in each package.json where the repository is, and makes the links of each README
// absolute, because a package does not hold the files that they lead to.
//
//   node scripts/published-links.mjs [--url https://host/owner/name] [--ref v1.2.3] [--root FOLDER]
//
// The address comes from the flags, else from GITHUB_SERVER_URL, GITHUB_REPOSITORY and GITHUB_REF_NAME, which a workflow
// has. It stands nowhere else. The files are changed in place, so run it in a clone that is thrown away.

import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { parseArgs } from 'node:util'

/** The folders that are published. */
const packages = ['.', 'packages/grpc', 'packages/console', 'bench']

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    ref: { type: 'string' },
    root: { type: 'string', default: '.' },
  },
})
const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_REF_NAME } = process.env
const url =
  values.url ??
  (GITHUB_SERVER_URL && GITHUB_REPOSITORY && `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`)
const ref = values.ref ?? GITHUB_REF_NAME
if (!url || !ref || !/^https:\/\/[^/]+\/[^/]+\/[^/]+$/.test(url)) {
  console.error(
    'Name the repository and the tag: --url https://HOST/OWNER/NAME --ref v1.2.3, or set GITHUB_SERVER_URL, ' +
      'GITHUB_REPOSITORY and GITHUB_REF_NAME.',
  )
  process.exit(2)
}

for (const folder of packages) {
  const manifest = join(values.root, folder, 'package.json')
  const fields = JSON.parse(await readFile(manifest, 'utf8'))
  fields.repository = {
    type: 'git',
    url: `git+${url}.git`,
    ...(folder === '.' ? {} : { directory: folder }),
  }
  fields.homepage = `${url}#readme`
  fields.bugs = `${url}/issues`
  await writeFile(manifest, `${JSON.stringify(fields, undefined, 2)}\n`)

  const readme = join(values.root, folder, 'README.md')
  if (existsSync(readme))
    await writeFile(readme, absoluteLinks(await readFile(readme, 'utf8'), folder))
}

/**
 * Pictures need the file itself, other links the page that shows it.
 * @param {string} text
 * @param {string} folder of the README
 */
function absoluteLinks(text, folder) {
  return text.replace(
    /(!?\[[^\]]*\])\((?![a-z]+:|#)([^)\s]+)\)/g,
    (_, label, path) =>
      `${label}(${url}/${label.startsWith('!') ? 'raw' : 'blob'}/${ref}/${posix.normalize(posix.join(folder, path))})`,
  )
}
