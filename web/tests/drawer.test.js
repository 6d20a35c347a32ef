import { beforeEach, test } from 'node:test'
import assert from 'node:assert/strict'
import { Drawer } from '../src/drawer.js'

let workers
globalThis.Worker = class { // one that answers when the test says so
  constructor () { this.sent = []; workers.push(this) }
  postMessage (m) { this.sent.push(m) }
  terminate () { this.ended = true }
  answer (data) { this.onmessage({ data }) }
}
Object.defineProperty(globalThis, 'navigator', { value: { gpu: { requestAdapter: async () => ({}) } }, configurable: true })

const scene = () => ({ ids: new Int32Array(4), width: 2, height: 2, styles: new Map() })
const kinds = worker => worker.sent.map(m => m.kind)
const picture = n => ({ kind: 'draw', n, w: 2, h: 2, rgba: [], ms: 8 })

let heard, drawer
beforeEach(() => {
  workers = []
  heard = { photo: [], style: [], failed: [] }
  drawer = new Drawer({ ready () {}, picture () {}, busy () {}, style: d => heard.style.push(d.key), photo: (styles, of) => heard.photo.push([styles, of]), failed: message => heard.failed.push(message) })
  drawer.open({ name: 'tiny', networks: {} })
})

async function takeover () { // by WebGPU, after the first picture
  workers[0].answer(picture(drawer.draw(scene())))
  await new Promise(resolve => setTimeout(resolve))
  return () => { workers[1].answer({ kind: 'ready', perPixel: 0.001 }); return workers[1] }
}

test('a photo and styles on their way are asked of WebGPU again when it takes over', async () => {
  const take = await takeover(), of = scene()
  drawer.photo([1], of)
  drawer.showStyles([{ key: 0 }, { key: 1 }])
  workers[0].answer({ kind: 'style', n: drawer.styles, key: 0 })
  const gpu = take()
  assert.ok(workers[0].ended)
  assert.deepEqual(kinds(gpu), ['start', 'photo', 'styles'])
  assert.deepEqual(gpu.sent[2].jobs.map(j => j.key), [1]) // the first is there
  gpu.answer({ kind: 'photo', n: gpu.sent[1].n, styles: 'its styles' })
  gpu.answer({ kind: 'style', n: drawer.styles, key: 1 })
  assert.deepEqual(heard.photo, [['its styles', of]])
  assert.deepEqual(heard.style, [0, 1])
})

test('what has been answered is not asked again', async () => {
  const take = await takeover()
  drawer.photo([1], scene())
  drawer.showStyles([{ key: 0 }])
  workers[0].answer({ kind: 'photo', n: 1, styles: 's' })
  workers[0].answer({ kind: 'style', n: drawer.styles, key: 0 })
  assert.deepEqual(kinds(take()), ['start'])
})

test('the styles of a photo come with the scene that they were asked for, those of the newest photo alone', () => {
  const first = scene(), second = scene(), [worker] = workers
  drawer.photo([1], first)
  drawer.photo([2], second)
  first.ids.fill(7)
  const [a, b] = worker.sent.filter(m => m.kind === 'photo')
  assert.notEqual(a.n, b.n)
  assert.deepEqual([...a.ids], [0, 0, 0, 0]) // as it was then
  worker.answer({ kind: 'photo', n: a.n, styles: 'old' })
  worker.answer({ kind: 'failed', what: 'photo', n: a.n, message: 'old' })
  worker.answer({ kind: 'photo', n: b.n, styles: 'new' })
  assert.equal(heard.photo.length, 1)
  assert.equal(heard.photo[0][0], 'new')
  assert.equal(heard.photo[0][1], second)
  assert.deepEqual(heard.failed, [])
})

test('the newest picture is waited for; a failed one is no picture', async () => {
  let there = 0
  const [worker] = workers, wait = () => drawer.newest().then(() => { there++ }), moment = () => new Promise(resolve => setTimeout(resolve))
  wait() // before anything is drawn
  await moment()
  assert.equal(there, 0)
  const a = drawer.draw(scene()), b = drawer.draw(scene())
  worker.answer(picture(a))
  await moment()
  assert.equal(there, 0)
  worker.answer(picture(b))
  await moment()
  assert.equal(there, 1)
  await wait() // it is there
  const c = drawer.draw(scene()), failing = wait()
  worker.answer({ kind: 'failed', what: 'draw', n: c, message: 'no memory' })
  await assert.rejects(failing, /no picture of the scene as it is now \(no memory\)/)
  const d = drawer.draw(scene()), again = wait()
  worker.answer(picture(d))
  await again
  assert.equal(there, 3)
})
