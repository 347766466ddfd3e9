// How do local servers get certificates that a client can verify?
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from './context.ts'
import { runOnce } from './run-once.ts'

export interface Certificates {
  /** Of the authority that signed the rest: what clients trust. */
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly keystoreFile: string
}

const script = join(import.meta.dirname, 'make_certificates.py')

export function certificatesIn(dataDir: string): Certificates {
  const of = (name: string) => join(dataDir, 'certificates', name)
  return {
    caFile: of('ca.pem'),
    certFile: of('server.pem'),
    keyFile: of('server.key'),
    keystoreFile: of('keystore.pem'),
  }
}

/** New ones at every start: nothing outlives the servers that show them. */
export async function makeCertificates(context: Context): Promise<void> {
  const folder = join(context.dataDir.path, 'certificates')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  await runOnce(context, 'certificates', context.python, [script, folder])
}
