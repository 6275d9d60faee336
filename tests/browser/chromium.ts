import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/** Path of a Chromium of this machine: `VARVE_CHROMIUM`, or the first on the PATH; undefined where there is none. */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const places = [
    process.env['VARVE_CHROMIUM'],
    ...NAMES.flatMap((name) => folders.map((folder) => join(folder, name))),
  ]
  return places.find((place): place is string => place !== undefined && isExecutable(place))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === undefined
  }
}

/** Starts it without a window. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage'],
  })
}
