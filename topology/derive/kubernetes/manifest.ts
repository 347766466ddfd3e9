// How is a manifest written?
import { stringify } from 'yaml'

const header = '# Derived from topology/derive/kubernetes: do not edit, run npm run derive.\n'

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly [field: string]: unknown
}

export const toYaml = (documents: readonly unknown[]): string =>
  header +
  documents
    .map((document) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n')
