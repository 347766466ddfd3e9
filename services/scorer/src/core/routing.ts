// Which model scores a vector of this market?

export const fallbackMarket = 'default'

/** What stands under each registered model's name. */
export interface Routes<Serving> {
  readonly prefix: string
  readonly byName: ReadonlyMap<string, Serving>
}

/** The market's own model, else the fallback's. */
export function routeOf<Serving>(
  { prefix, byName }: Routes<Serving>,
  market: string | null,
): Serving | undefined {
  const own = market === null ? undefined : byName.get(`${prefix}${market}`)
  return own ?? byName.get(`${prefix}${fallbackMarket}`)
}
