// What stands in a file that a variable names?
import { readFileSync } from 'node:fs'
import { FatalError, messageOf } from './errors.ts'

/** @throws FatalError that names the variable when the file can't be read */
export function readNamedFile(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new FatalError(`${variable}: ${messageOf(error)}`)
  }
}

/** Without the line ends that editors add. @throws FatalError as readNamedFile */
export const readSecretFile = (variable: string, file: string): string =>
  readNamedFile(variable, file).replace(/[\r\n]+$/, '')
