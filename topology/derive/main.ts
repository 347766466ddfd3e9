// Are the derived files what their sources say? Writes them, or with --check compares.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deriveSchemas } from '@churnstream/schemas/derive'
import { aclsFile } from './acls.ts'
import { connectFiles } from './connect.ts'
import { topologyPage } from './diagram.ts'
import { deriveKubernetes } from './kubernetes/index.ts'
import { deriveObservability } from './observability/index.ts'
import { terraformFile } from './terraform.ts'
import { topicsFile } from './topics.ts'

const check = process.argv.includes('--check')
const root = new URL('../../', import.meta.url)
const files = new Map([
  ...deriveSchemas(),
  ['docs/topology.md', topologyPage()],
  ...deriveObservability(),
  ...connectFiles(),
  ['topology/topics.json', topicsFile()],
  ['topology/acls.json', aclsFile()],
  ['terraform/topology.json', terraformFile()],
  ...deriveKubernetes(),
])

const different: string[] = []
for (const [path, content] of files) {
  const target = fileURLToPath(new URL(path, root))
  if (check) {
    if (readOrEmpty(target) !== content) different.push(path)
    continue
  }
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, content)
}
if (different.length > 0) {
  console.error(
    `Not what their sources say: ${different.join(', ')}. Run npm run derive and commit.`,
  )
  process.exit(1)
}
console.log(check ? `${files.size} derived files are up to date` : `wrote ${files.size} files`)

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
