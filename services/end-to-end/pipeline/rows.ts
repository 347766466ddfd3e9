// What does a database answer to one statement?
import { Client, type QueryResultRow } from 'pg'

/** Over a connection of its own, ended whatever happens. */
export async function rowsOf<Row extends QueryResultRow>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(text, [...values])).rows
  } finally {
    await client.end()
  }
}
