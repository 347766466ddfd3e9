// What does a service say of itself at this moment?

export async function metricsPage(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text()
}

/** Of all series of the name together. @throws Error when there is none */
export function totalOf(page: string, name: string): number {
  const series = [...page.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+-]+)`, 'gm'))]
  if (series.length === 0) throw new Error(`a service does not say ${name}`)
  return series.reduce((sum, [, value]) => sum + Number(value), 0)
}
