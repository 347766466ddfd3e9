// How does a disk come to be full?
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Whether a disk of a given size can be made here: that needs Linux and root. */
export const canMakeDisks = process.platform === 'linux' && process.getuid?.() === 0

export interface SmallDisk extends Disposable {
  readonly folder: string
  /** Until not a byte is left. */
  fill(): void
  free(): void
}

/** Mounts a disk in memory over a folder; disposed of, it is gone with what it held. */
export function mountSmallDisk(folder: string, megabytes: number): SmallDisk {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder])
  const filler = join(folder, 'filler')
  return {
    folder,
    fill() {
      const file = openSync(filler, 'w')
      try {
        for (let bytes = 1 << 20; bytes >= 1; bytes >>= 1) writeUntilFull(file, Buffer.alloc(bytes))
      } finally {
        closeSync(file)
      }
    },
    free: () => rmSync(filler),
    [Symbol.dispose]: () => void execFileSync('umount', [folder]),
  }
}

function writeUntilFull(file: number, chunk: Buffer): void {
  try {
    while (writeSync(file, chunk) === chunk.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
