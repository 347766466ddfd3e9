// What are the bytes of one of Iceberg's files?
import type { Objects } from '@churnstream/batch'
import { readFile } from 'node:fs/promises'

/** By way of a file, which stays; undefined: there is no such object. */
export async function readObject(
  objects: Objects,
  location: string,
  file: string,
): Promise<Buffer | undefined> {
  const object = await objects.find(location)
  if (object === undefined) return undefined
  await objects.download(object, file)
  return readFile(file)
}
