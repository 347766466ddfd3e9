// Does the configuration hold what it promises, as Terraform itself reads it on a mocked AWS?
import {
  deadLetterTopic,
  principals,
  fused,
  processIds,
  services,
  type Service,
} from '@churnstream/topology'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { policies, protection, statementsOf, type Resource } from './test/policies.ts'
import {
  findTerraform,
  openWorkspace,
  spawned,
  terraformFolder,
  type Installation,
} from './test/run-terraform.ts'
import { parseTestRuns, type TestRun } from './test/test-runs.ts'

const found = findTerraform()
const environments = 'tests/environments.tftest.hcl'

const text = (file: string): string => readFileSync(join(terraformFolder, file), 'utf8')

if ('missing' in found) {
  const skip = `Terraform is not checked: ${found.missing}`
  console.log(skip)
  test('terraform - what Terraform itself says', { skip })
} else {
  suite('terraform', () => checkWith(found))
}

function checkWith(found: Installation): void {
  const workspace = openWorkspace(found)
  after(() => workspace[Symbol.dispose]())

  test('terraform - everything is formatted', async () => {
    const check = ['fmt', '-check', '-recursive', '-no-color']
    const { code, output } = await spawned(found.binary, check, terraformFolder)
    assert.equal(code, 0, `run terraform fmt -recursive in terraform/: ${output}`)
  })

  for (const root of ['envs/prod', 'bootstrap']) {
    test(`terraform - ${root} is valid as it is written`, async () => {
      const { code, output } = await workspace.run(root, 'validate', '-no-color')
      assert.equal(code, 0, output)
    })
  }

  test('terraform - every module does what its tests say, and keeps every policy', async (t) => {
    mockable(workspace.folder)
    // What is there is told of environments alone: with each telling goes the provider's whole schema.
    const files = globSync('tests/*.tftest.hcl', { cwd: terraformFolder }).toSorted()
    const modules = files.filter((file) => file !== environments).map((file) => `-filter=${file}`)
    const ofModules = await workspace.run('.', 'test', '-json', ...modules)
    const all = await workspace.run('.', 'test', '-json', '-verbose', `-filter=${environments}`)
    const runs = [ofModules, all].flatMap(({ output }) => parseTestRuns(output))
    for (const { file, name, status, problems } of runs) {
      await t.test(`${file} - ${name}`, () => assert.equal(status, 'pass', problems.join('\n')))
    }
    assert.deepEqual([...new Set(runs.map(({ file }) => file))].toSorted(), files)

    for (const name of ['dev', 'staging', 'kubernetes', 'fused', 'prod']) {
      const { resources } = named(runs, name)
      const kept = name === 'dev' ? policies : [...policies, ...protection]
      for (const policy of kept) {
        await t.test(`${name} - ${policy.promise}`, () =>
          assert.deepEqual(policy.violations(resources), []),
        )
      }
    }
    await t.test('fused - one service runs in the place of features and the scorer', () => {
      const namesIn = (run: string) =>
        named(runs, run)
          .resources.filter(({ type }) => type === 'aws_ecs_service')
          .map(({ values }) => String(values['name']))
      const [plain, together] = [namesIn('staging'), namesIn('fused')]
      const own = plain.filter((name) => !/(^|-)(features|scorer)$/.test(name))
      assert.equal(own.length, plain.length - 2)
      const fusedName = together.filter((name) => !own.includes(name))
      assert.deepEqual(together.filter((name) => own.includes(name)).toSorted(), own.toSorted())
      assert.ok(fusedName.length === 1 && fusedName[0]?.endsWith(fused.name), fusedName.join())
    })
    const { resources } = named(runs, 'prod')
    for (const policy of [...policies, ...protection]) {
      await t.test(`control - it is seen when broken: ${policy.promise}`, () => {
        const { type, values } = policy.breaks
        const good = resources.find((resource) => resource.type === type)
        assert.ok(good, `production has no ${type}`)
        const bad = { ...good, address: 'broken', values: { ...good.values, ...values } }
        assert.deepEqual(policy.violations([...resources, bad]), ['broken'])
      })
    }
    for (const service of ownProcesses) {
      await t.test(`prod - ${service.name} may on Kafka what the topology says, and no more`, () =>
        assert.deepEqual(kafkaOf(resources, service.name), expectedOf(service)),
      )
      await t.test(`prod - ${service.name} reads its own secrets and buckets`, () => {
        const [secrets, buckets] = [
          targets(resources, `${service.name}-start`, 'secretsmanager:GetSecretValue'),
          targets(resources, `${service.name}-task`, 's3:GetObject'),
        ]
        assert.deepEqual({ secrets, buckets }, own[service.name] ?? { secrets: [], buckets: [] })
        assert.deepEqual(targets(resources, `${service.name}-task`, 's3:PutObject'), [])
      })
    }
    await t.test('prod - no role of a service is larger than IAM takes', () => {
      const sizes = Object.groupBy(
        resources.filter(({ type }) => type === 'aws_iam_role_policy'),
        ({ values }) => String(values['role']),
      )
      for (const all of Object.values(sizes)) {
        const length = (all ?? []).reduce((sum, { values }) => sum + textOf(values).length, 0)
        assert.ok(length <= 10_240, `${all?.[0]?.address}: ${length} characters`)
      }
    })
  })
}

test('terraform - what must outlive a mistake says so', () => {
  for (const [file, kinds] of [
    ['modules/kafka/main.tf', 1],
    ['bootstrap/main.tf', 2],
  ] as const) {
    assert.equal(text(file).match(/prevent_destroy\s*= true/g)?.length, kinds, file)
  }
})

test("prepare - a task's files are there for a user who cannot change them", async () => {
  const home = mkdtempSync(join(tmpdir(), 'churnstream-prepare-'))
  after(() => rmSync(home, { recursive: true, force: true }))
  const [scratch, files] = [join(home, 'scratch'), join(home, 'files')]
  for (const folder of [scratch, files]) mkdirSync(folder)
  const script = text('modules/task/prepare.cjs')
  const env = { FILE_DATABASE_URL: 'postgresql://…\n', OTHER: 'of nobody' }
  await promisify(execFile)(process.execPath, ['-e', script, scratch, files], { env })
  assert.deepEqual(readdirSync(files), ['DATABASE_URL'])
  const written = join(files, 'DATABASE_URL')
  assert.equal(readFileSync(written, 'utf8'), env.FILE_DATABASE_URL)
  assert.equal(statSync(written).mode & 0o777, 0o444)
  assert.equal(statSync(scratch).mode & 0o7777, 0o1777)
})

test('terraform - states of environments are apart, encrypted and locked', () => {
  for (const name of ['dev', 'staging', 'prod']) {
    const backend = text(`envs/${name}/backend.tf`)
    assert.match(backend, new RegExp(`key += "${name}/terraform.tfstate"`))
    assert.match(backend, /use_lockfile += true/)
    assert.match(backend, /encrypt += true/)
  }
})

/**
 * Mocks know no ephemeral resources, and what must not be destroyed could not be torn down. The data
 * source of the same name stands in for the one, and the other is looked for above.
 */
function mockable(folder: string): void {
  for (const file of globSync('**/*.tf', { cwd: folder })) {
    const path = join(folder, file)
    const before = readFileSync(path, 'utf8')
    const after = before
      .replace(/^ephemeral "aws/gm, 'data "aws')
      .replaceAll('ephemeral.aws', 'data.aws')
      .replace(/prevent_destroy(\s*)= true/g, 'prevent_destroy$1= false')
    if (after !== before) writeFileSync(path, after)
  }
}

function named(runs: readonly TestRun[], name: string): TestRun {
  const run = runs.find((one) => one.file === environments && one.name === name)
  assert.ok(run && run.resources.length > 100, `${name} is not all there`)
  return run
}

const ownProcesses = processIds.map((id): Service => services[id])

const own: Partial<Record<string, { secrets: string[]; buckets: string[] }>> = {
  ingestion: {
    secrets: [
      'arn:aws:secretsmanager:eu-west-1:123456789012:secret:api-keys-abcdef',
      'arn:aws:secretsmanager:eu-west-1:123456789012:secret:player-key-abcdef',
    ],
    buckets: [],
  },
  scorer: { secrets: [], buckets: ['arn:aws:s3:::models/*'] },
  monitor: { secrets: [], buckets: ['arn:aws:s3:::models/*'] },
  'registry-bridge': {
    secrets: ['arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook-abcdef'],
    buckets: ['arn:aws:s3:::models/*'],
  },
  sinks: {
    secrets: ['arn:aws:secretsmanager:eu-west-1:123456789012:secret:churnstream-abcdef'],
    buckets: [],
  },
}

const textOf = (values: Resource['values']): string => String(values['policy'])

/** What the role of this name may do an action to. */
function targets(resources: readonly Resource[], role: string, action: string): string[] {
  const ids = resources
    .filter(({ type, values }) => type === 'aws_iam_role' && isNamed(values['name'], role))
    .map(({ values }) => values['id'])
  assert.equal(ids.length, 1, `one role ${role}`)
  return resources
    .filter(({ type, values }) => type === 'aws_iam_role_policy' && values['role'] === ids[0])
    .flatMap(({ values }) => statementsOf(textOf(values)))
    .filter(({ Action }) => [Action].flat().includes(action))
    .flatMap(({ Resource }) => [Resource ?? []].flat())
    .toSorted()
}

const isNamed = (name: unknown, role: string): boolean => name === `churnstream-prod-${role}`

const nameIn = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1)

function kafkaOf(resources: readonly Resource[], service: string) {
  const of = (action: string, kind: string) =>
    targets(resources, `${service}-task`, `kafka-cluster:${action}`)
      .filter((arn) => arn.includes(`:${kind}/`))
      .map(nameIn)
  return {
    reads: of('ReadData', 'topic'),
    writes: of('WriteData', 'topic'),
    makes: of('CreateTopic', 'topic'),
    joins: of('AlterGroup', 'group'),
  }
}

/** From the services themselves, not from what is derived of them. */
function expectedOf({ name }: Service) {
  const loops = Object.values<Service>(services).filter(
    (one) => one.name === name || one.within === name,
  )
  const names = (topics: readonly { name: string }[]) =>
    [...new Set(topics.map((topic) => topic.name))].toSorted()
  const consumed = loops.flatMap(({ consumes }) => consumes)
  const state = loops.flatMap((one) => one.state)
  return {
    reads: names([
      ...consumed,
      ...state,
      ...loops.flatMap(({ follows, looksUp = [] }) => [...follows, ...looksUp]),
    ]),
    writes: names([
      ...loops.flatMap(({ produces }) => produces),
      ...state,
      ...consumed.map((topic) => ({ name: deadLetterTopic(topic) })),
    ]),
    makes: [],
    joins: names(loops.filter(({ consumes }) => consumes.length > 0)),
  }
}

test('terraform - everybody who does something on Kafka has a policy', () => {
  const { principals: known } = JSON.parse(text('topology.json')) as {
    principals: Record<string, unknown>
  }
  assert.deepEqual(
    Object.keys(known),
    principals().map(({ name }) => name),
  )
})
