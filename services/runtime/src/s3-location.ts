// Which bucket and prefix does an s3:// location name?

export interface S3Location {
  readonly bucket: string
  /** Without a slash at either end. */
  readonly prefix: string
}

/** Of `s3://bucket/prefix`; undefined for anything else. */
export function parseS3Location(location: string): S3Location | undefined {
  const match = /^s3:\/\/([^/]+)\/(.+?)\/?$/.exec(location)
  return match === null ? undefined : { bucket: match[1] as string, prefix: match[2] as string }
}
