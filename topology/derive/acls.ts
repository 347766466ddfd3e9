// What must whoever sets up a cluster know of access to it?
import { aclRules } from '../src/index.ts'

/** topology/acls.json, one rule a line: nothing else is allowed to anybody. */
export function aclsFile(): string {
  const lines = aclRules().map((rule) => `  ${JSON.stringify(rule)}`)
  return `[\n${lines.join(',\n')}\n]\n`
}
