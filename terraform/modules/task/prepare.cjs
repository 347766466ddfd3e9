// Before a task's own container starts: opens its folders to its user and lays down its files.
// The root file system is read-only, and what is mounted belongs to root.
const { chmodSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

const [, scratch, files] = process.argv
chmodSync(scratch, 0o1777)
for (const [name, content] of Object.entries(process.env)) {
  if (!name.startsWith('FILE_')) continue
  writeFileSync(join(files, name.slice('FILE_'.length)), content, { mode: 0o444 })
}
