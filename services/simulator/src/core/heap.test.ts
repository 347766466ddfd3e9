// Does the heap give what a stable sort gives?
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Heap } from './heap.ts'
import { createRandom } from './random.ts'

test('Heap - gives what a stable sort gives, whatever is pushed and popped between', () => {
  const random = createRandom(11)
  for (let round = 0; round < 200; round++) {
    const heap = new Heap<number>()
    let waiting: { at: number; turn: number }[] = []
    for (let turn = 0; turn < 60; turn++) {
      const at = Math.floor(random.uniform() * 10)
      heap.push(at, turn)
      waiting.push({ at, turn })
      if (random.chance(0.4)) {
        waiting = waiting.sort((a, b) => a.at - b.at || a.turn - b.turn)
        assert.equal(heap.nextAt, waiting[0]?.at)
        assert.equal(heap.pop(), waiting.shift()?.turn)
      }
    }
    for (const { turn } of waiting.sort((a, b) => a.at - b.at || a.turn - b.turn)) {
      assert.equal(heap.pop(), turn)
    }
    assert.equal(heap.pop(), undefined)
    assert.equal(heap.nextAt, Infinity)
  }
})
