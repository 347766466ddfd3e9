// What did `terraform test -json -verbose` find, run by run?
import type { Resource } from './policies.ts'

export interface TestRun {
  readonly file: string
  readonly name: string
  readonly status: string
  readonly problems: readonly string[]
  /** All that is there after an apply, or would be after a plan; empty where it was refused. */
  readonly resources: readonly Resource[]
}

interface Module {
  readonly resources?: readonly Resource[]
  readonly child_modules?: readonly Module[]
}

interface Change {
  readonly address: string
  readonly type: string
  readonly change: { readonly after: Resource['values'] | null }
}

interface Line {
  readonly type?: string
  readonly '@testfile'?: string
  readonly '@testrun'?: string
  readonly test_run?: { readonly status?: string }
  readonly test_state?: { readonly root_module?: Module }
  readonly test_plan?: { readonly resource_changes?: readonly Change[] }
  readonly diagnostic?: { severity: string; summary: string; detail?: string }
}

/** @throws Error with the output, when it is not what Terraform writes */
export function parseTestRuns(output: string): TestRun[] {
  const runs = new Map<string, { -readonly [K in keyof TestRun]: TestRun[K] }>()
  const problems: string[] = []
  for (const text of output.split('\n').filter((line) => line.startsWith('{'))) {
    const line = JSON.parse(text) as Line
    const { '@testfile': file, '@testrun': name, diagnostic } = line
    const problem =
      diagnostic?.severity === 'error' ? `${diagnostic.summary} ${diagnostic.detail ?? ''}` : null
    if (file === undefined || name === undefined) {
      if (problem !== null) problems.push(problem)
      continue
    }
    const key = `${file} ${name}`
    const run = runs.get(key) ?? { file, name, status: 'none', problems: [], resources: [] }
    runs.set(key, run)
    if (line.test_run?.status !== undefined) run.status = line.test_run.status
    if (problem !== null) run.problems = [...run.problems, problem]
    if (line.test_state?.root_module) run.resources = resourcesOf(line.test_state.root_module)
    if (line.test_plan) run.resources = (line.test_plan.resource_changes ?? []).map(toResource)
  }
  if (runs.size === 0 || problems.length > 0) {
    throw new Error(problems.join('\n') || `terraform test ran nothing:\n${output}`)
  }
  return [...runs.values()]
}

const toResource = ({ address, type, change }: Change): Resource => ({
  address,
  type,
  values: change.after ?? {},
})

function resourcesOf(module: Module): Resource[] {
  return [...(module.resources ?? []), ...(module.child_modules ?? []).flatMap(resourcesOf)]
}
