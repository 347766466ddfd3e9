// How does this process get kafkajs with our replacements inside?
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Module, { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import {
  endWhenOutOfRange,
  waitForCoordinator,
  type ConsumerGroup,
  type Errors,
} from './consumer-end.ts'
import { createDecodeMessages, type Compression } from './decode-messages.ts'
import { FetchedBatch } from './fetched-batch.ts'
import { createProduceRequest } from './produce-request.ts'
import { patchRequestQueue } from './request-queue.ts'
import { createSendMessages } from './send-messages.ts'
import type { RequestQueue } from './request-queue.ts'
import { transactionManagers } from './transaction-manager.ts'
import type { Internals } from './transaction-manager.ts'

type Kafkajs = typeof import('kafkajs')
/** Node's own way from source to a module; not in its types. */
type CompilingModule = Module & { _compile(source: string, file: string): void }

/** Files of kafkajs 2.2.4 that we replace or patch, and the bytes we replaced. */
export const replacedFiles = {
  batch: {
    path: 'src/consumer/batch.js',
    sha256: '04ee8657247441599f200af5871ce6b3c4463abe941b97405502f8f5f683face',
  },
  decodeMessages: {
    path: 'src/protocol/requests/fetch/v4/decodeMessages.js',
    sha256: 'd9fede59bebf84ee15169d0ecc54df594a11722b6ba8d5db535ed1d8548d4fcc',
  },
  produceRequest: {
    path: 'src/protocol/requests/produce/v3/request.js',
    sha256: '993a3db997827088f5acb08cacf3c67a99ec2886303ff465d244329b8a1c7f99',
  },
  transactionManager: {
    path: 'src/producer/eosManager/index.js',
    sha256: 'a74ae029d7aa786b8616b77f922d30a81bec2833878769dbfa6b4a9dab66db22',
  },
  sendMessages: {
    path: 'src/producer/sendMessages.js',
    sha256: '8a120e6993955e040a13014cccebd79b8d41e7355d6eda1065fa83fea2fbbcdb',
  },
  requestQueue: {
    path: 'src/network/requestQueue/index.js',
    sha256: 'b55986089c14f8f7bfc377922e2e65b3e4c1e7c7af2752d3b10a75dfe9e9260c',
  },
  consumerGroup: {
    path: 'src/consumer/consumerGroup.js',
    sha256: 'f3e461738585a8dc6574c647123a18afc732f81cdee4f9f7bb62e4aa1dffbfbb',
  },
  socketRequest: {
    path: 'src/network/requestQueue/socketRequest.js',
    sha256: 'dde28f8e26c6d17fe3383c60b2bfce27f4790ee4552ca7e73e78fdce30c6bf1d',
  },
  errors: {
    path: 'src/errors.js',
    sha256: 'bb3e50177a7b73f4cd35b3318d50a2fc50d9e631488c6ae89669b31aee25c926',
  },
  brokerPool: {
    path: 'src/cluster/brokerPool.js',
    sha256: '9994863e891ac2ab243f27f941ef87893889f53d64aa580353fafbb8d11614c6',
  },
} as const

/**
 * Files that count intervals by the wall clock: set back an hour, they would send no heartbeat for
 * an hour.
 */
const timed = ['consumerGroup', 'requestQueue', 'socketRequest', 'brokerPool'] as const
const monotonicDate =
  'const Date = { now: () => Math.round(performance.timeOrigin + performance.now()) };'

const require = createRequire(import.meta.url)
const zstdCompressed = promisify(zstdCompress)
const zstdDecompressed = promisify(zstdDecompress)

let loaded: Kafkajs | undefined

/** The only way into kafkajs: anything else may get the stock modules. */
export function loadKafkajs(): Kafkajs {
  loaded ??= install()
  return loaded
}

/** Throws unless the file has exactly the bytes that our replacement was written against. */
export function verifyDigest(file: string, expected: string): void {
  const found = createHash('sha256').update(readFileSync(file)).digest('hex')
  if (found === expected) return
  throw new Error(
    `${file} is not the file our replacement was written against ` +
      `(SHA-256 expected ${expected}, found ${found}). Reinstall kafkajs 2.2.4 with npm ci; after ` +
      'an intended upgrade, compare the file with its replacement beside install.ts, then pin the ' +
      'new digest in install.ts',
  )
}

function install(): Kafkajs {
  const root = dirname(require.resolve('kafkajs'))
  // Who loaded kafkajs before us keeps the stock modules; what we load from here on is our own copy.
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(root + sep)) delete require.cache[file]
  }
  for (const { path, sha256 } of Object.values(replacedFiles))
    verifyDigest(join(root, path), sha256)

  const errors: Errors = require(join(root, replacedFiles.errors.path))
  waitForCoordinator(errors)
  replace(join(root, replacedFiles.batch.path), FetchedBatch)
  const compression: Compression = require(join(root, 'src/protocol/message/compression'))
  replace(join(root, replacedFiles.decodeMessages.path), createDecodeMessages(compression))
  for (const name of timed) giveMonotonicClock(join(root, replacedFiles[name].path))
  const Encoder: Internals['Encoder'] = require(join(root, 'src/protocol/encoder.js'))
  replace(join(root, replacedFiles.transactionManager.path), transactionManagers({ Encoder }))
  replace(
    join(root, replacedFiles.produceRequest.path),
    createProduceRequest({ Encoder: require(join(root, 'src/protocol/encoder.js')) }),
  )
  replace(join(root, replacedFiles.sendMessages.path), createSendMessages)
  const queue: { prototype: RequestQueue } = require(join(root, replacedFiles.requestQueue.path))
  patchRequestQueue(queue)
  const group: { prototype: ConsumerGroup } = require(join(root, replacedFiles.consumerGroup.path))
  endWhenOutOfRange(group, errors)

  // Any value but none silences it; our producers name their partitions themselves.
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] ??= '1'
  const kafkajs: Kafkajs = require('kafkajs')
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: (encoder: { buffer: Buffer }) => zstdCompressed(encoder.buffer),
    decompress: (buffer: Buffer) => zstdDecompressed(buffer),
  })
  return kafkajs
}

/** On one line with the file's first, so that places in its traces stay right. */
function giveMonotonicClock(file: string): void {
  const module = new Module(file) as CompilingModule
  module.filename = file
  module.paths = require.resolve.paths(file) ?? []
  require.cache[file] = module
  module._compile(`${monotonicDate}${readFileSync(file, 'utf8')}`, file)
  module.loaded = true
}

function replace(file: string, exports: unknown): void {
  const module = new Module(file)
  module.filename = file
  module.exports = exports
  module.loaded = true
  require.cache[file] = module
}
