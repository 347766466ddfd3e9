// How does a fault say that it saw with its own eyes what must not happen?

export class PromiseBroken extends Error {
  override name = 'PromiseBroken'
}
