// Which types does places.mjs have? It stays JavaScript because it runs before anything is installed.
export const repositoryDir: string
export const mavenDir: string
/** A folder of services/ that is Python. */
export type PythonFolder = 'training' | 'orchestration'
export const projectNode: string
export function cacheDir(): string
export function serversDir(): string
export const connectMavenDir: string
export function connectDir(): string
export function requirementsFile(folder: PythonFolder): string
export function venvDir(pythonVersion: string, folder?: PythonFolder): string
export function venvPython(pythonVersion: string, folder?: PythonFolder): string
export function prometheusDir(): string
export function findPrometheus(): Promise<
  | { prometheus: string; promtool: string; missing?: never }
  | { prometheus?: never; promtool?: never; missing: string }
>
export const checkersSource: string
export interface Checkers {
  kustomize: string
  actionlint: string
  kubernetesValidate: string
  shellcheck: string
  missing?: never
}
export function checkersDir(pythonVersion: string): string
export function findCheckers(): Promise<
  Checkers | ({ missing: string } & { [K in Exclude<keyof Checkers, 'missing'>]?: never })
>
export function findJava(): Promise<
  | { java: string; home: string; version: string; tooOld?: never }
  | { java?: never; tooOld: string[] }
>
export function findPython(): Promise<
  { python: string; version: string; tooOld?: never } | { python?: never; tooOld: string[] }
>
export function outputOf(command: string, args: string[]): Promise<string>
