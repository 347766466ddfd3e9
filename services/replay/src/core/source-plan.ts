// What is replayed, said so that another run can tell whether it reads the same?

export interface TopicPlan {
  readonly kind: 'topic'
  readonly topic: string
  /** Of each partition: where reading begins and, exclusively, ends. */
  readonly parts: readonly { readonly first: number; readonly end: number }[]
}

export interface FilesPlan {
  readonly kind: 'files'
  readonly location: string
  readonly files: number
  /** Of the names and bytes of all files. */
  readonly sha256: string
  /** Events at or after this instant are left out. */
  readonly untilAt: number
}

export type SourcePlan = TopicPlan | FilesPlan
