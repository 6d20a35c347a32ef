import { test } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Scene, openWorld } from '../src/scene.js'
import { random, weighted } from '../src/random.js'
import { fillFromNearest, numberObjects, region, runs, strokeMask, unruns } from '../src/raster.js'
import { decodePng, encodePng } from '../src/png.js'
import { idsOf, labelsOf } from '../src/files.js'
import { StyleBook } from '../src/styles.js'
import { around, inputs, padded, picture, pooled } from '../src/network.js'

const classes = [{ id: 0, name: 'sky', color: [70, 130, 180], thing: false }, { id: 1, name: 'road', color: [128, 64, 128], thing: false }, { id: 2, name: 'car', color: [0, 0, 142], thing: true }]
const world = openWorld({
  name: 'tiny', label_space: { classes }, lines: {},
  styles: { 0: { centres: [[0, 0]], counts: [1] }, 1: { centres: [[1, 1]], counts: [1] }, 2: { centres: [[2, 2], [3, 3]], counts: [1, 9] } },
  shapes: [{ label: 2, foot: 0.8, picture_height: 40, mask: runs(new Int32Array(24).fill(1), 6, 4) }]
})

function street () { // sky over road, 60 x 40
  const ids = new Int32Array(60 * 40).fill(0)
  ids.fill(1, 60 * 20)
  const scene = new Scene(world, ids, 60, 40)
  scene.complete()
  return scene
}

test('a stroke is a step that undo takes back and redo does again', () => {
  const scene = street(), before = scene.ids.slice()
  const id = scene.paint([[10, 30], [20, 30]], 2, 5)
  assert.equal(id, 2000)
  assert.equal(scene.at(15, 30), 2000)
  assert.ok(scene.styles.has(2000))
  const after = scene.ids.slice()
  scene.undo()
  assert.deepEqual(scene.ids, before)
  assert.ok(!scene.styles.has(2000))
  scene.redo()
  assert.deepEqual(scene.ids, after)
})

test('a stroke goes on with the object given, and starts a new one otherwise', () => {
  const scene = street(), id = scene.paint([[10, 30]], 2, 5)
  assert.equal(scene.paint([[16, 30]], 2, 5, id), id)
  assert.equal(scene.paint([[40, 30]], 2, 5), 2001)
})

test('removing an object leaves what is nearest behind it', () => {
  const scene = street(), before = scene.ids.slice(), id = scene.box([10, 24], [18, 30], 2)
  assert.ok(scene.remove(id))
  assert.deepEqual(scene.ids, before)
  assert.ok(!scene.styles.has(id))
})

test('moving keeps id and style; outside the picture it refuses and changes nothing', () => {
  const scene = street(), id = scene.box([10, 24], [18, 30], 2), style = scene.styles.get(id), before = scene.ids.slice()
  scene.move(id, 20, 0)
  assert.equal(scene.at(34, 28), id)
  assert.equal(scene.at(14, 28), 1)
  assert.equal(scene.styles.get(id), style)
  scene.undo()
  assert.throws(() => scene.move(id, 500, 0), /outside/)
  assert.deepEqual(scene.ids, before)
})

test('an added object stands behind what is nearer', () => {
  const scene = street(), near = scene.box([20, 30], [29, 38], 2), far = scene.add(world.shapes[0], 25, 32)
  assert.equal(scene.at(25, 31), near)
  assert.equal(scene.at(25, 29), far)
})

test('what fills the place of a moved object does not hide it', () => {
  const two = openWorld({ name: 'two', label_space: { classes: [...classes, { id: 3, name: 'person', color: [220, 20, 60], thing: true }] }, lines: {}, styles: { 0: { centres: [[0, 0]], counts: [1] } }, shapes: [] })
  const scene = new Scene(two, street().ids, 60, 40), far = scene.box([20, 16], [29, 27], 3), near = scene.box([10, 20], [40, 38], 2), before = scene.ids.slice()
  scene.move(far, 0, 0) // the car, which is larger, fills a part of its place
  assert.deepEqual(scene.ids, before)
  assert.equal(scene.at(25, 21), near)
})

test('class and style change, and JSON brings all back', () => {
  const scene = street(), id = scene.paint([[30, 30]], 2, 6)
  scene.restyle(new Map([[id, [5, 7]]]), 0.5)
  scene.setClass(id, 1)
  scene.undo()
  const again = Scene.fromJSON(world, JSON.parse(JSON.stringify(scene.toJSON())))
  assert.deepEqual(again.ids, scene.ids)
  assert.deepEqual([...again.styles].sort(), [...scene.styles].sort())
  assert.equal(again.undone.length, 1)
  again.redo()
  assert.equal(again.at(30, 30), 1)
  again.undo(); again.undo(); again.undo()
  assert.deepEqual(again.ids, street().ids)
})

test('a scene of other classes, or no scene, is refused in a sentence', () => {
  assert.throws(() => Scene.fromJSON(world, { format: 'x' }), /no scene/)
  const d = street().toJSON()
  assert.throws(() => Scene.fromJSON(world, { ...d, label_space: { classes: [] } }), /other classes/)
  assert.throws(() => Scene.fromJSON(world, { ...d, instance_map: { size: [4, 4], ids: [0], lengths: [3] } }), /no whole scene/)
})

test('what a scene claims is checked: ids, windows and lengths of its history', () => {
  const scene = street()
  scene.paint([[30, 30]], 2, 6)
  const refused = (change, why) => {
    const d = JSON.parse(JSON.stringify(scene.toJSON())), [c] = d.done[0].changes
    change(d, c)
    assert.throws(() => Scene.fromJSON(world, d), why)
  }
  refused((d, c) => c.before.ids.fill(99), /no whole scene \(an object has the id 99\)/)
  refused(d => { d.instance_map.ids[0] = 9000 }, /an object has the id 9000/)
  refused((d, c) => { c.at = [39, 59] }, /a change does not lie in the scene/)
  refused((d, c) => { c.at = [-1, 0] }, /a change does not lie in the scene/)
  refused((d, c) => { c.after = { size: [1, 1], ids: [1], lengths: [1] } }, /a change does not lie in the scene/)
  refused(d => { d.instance_map.lengths[0] += 0.5 }, /no ids and lengths/)
  refused(d => { d.instance_map.size = [1e6, 1e6] }, /a map is of the size/)
  refused(d => { delete d.undone }, /undone is no list/)
  refused(d => { delete d.styles }, /the styles are absent/)
  refused(d => { d.done[0].styles[2000] = [[1, 2]] }, /the styles of a step/)
  refused(d => { d.done[0].styles[2000] = [null, ['x', 2]] }, /a style is/)
  refused(d => { d.done[0].name = '<b>' }, /a step is called/)
})

test('styles of another encoder are refused', () => {
  const ours = { ...world, model: 'aaaaaaaaaaaa' }, d = { ...street().toJSON(), model: 'aaaaaaaaaaaa' }, id = street().paint([[30, 30]], 2, 6)
  assert.equal(new Scene(ours, new Int32Array(4), 2, 2).toJSON().model, 'aaaaaaaaaaaa')
  assert.equal(Scene.fromJSON(ours, d).styles.size, 2)
  assert.ok(Scene.fromJSON(ours, { ...d, model: undefined })) // as SceneEditor.to_json writes it
  assert.throws(() => Scene.fromJSON(ours, { ...d, model: 'bbbbbbbbbbbb' }), /styles of encoder bbbbbbbbbbbb, this world has encoder aaaaaaaaaaaa/)
  assert.throws(() => Scene.fromJSON(ours, { ...d, styles: { 0: [1, 2, 3, 4, 5] } }), /a style of 5 numbers, those of this world have 2/)
  assert.throws(() => Scene.fromJSON(ours, { ...d, done: [{ name: 'restyle', changes: [], styles: { [id]: [null, [1, 2, 3]] } }] }), /a style of 3 numbers/)
  assert.equal(Scene.fromJSON(ours, { ...d, styles: { ...d.styles, 2007: [1, 1] } }).styles.has(2007), false) // of no object there
})

test('a scene of version 0.0.1 opens, with its history', () => {
  const d = JSON.parse(readFileSync(new URL('../../tests/first_release/edit.json', import.meta.url))), scene = Scene.fromJSON({ ...world, label_space: d.label_space }, d)
  assert.ok(scene.done.length && scene.undone.length)
  while (scene.redo());
  const ids = scene.ids.slice()
  while (scene.undo());
  assert.notDeepEqual(scene.ids, ids)
})

test('what changes nothing is no step, and leaves what redo would do', () => {
  const scene = street(), id = scene.paint([[10, 30]], 2, 5)
  scene.paint([[40, 30]], 2, 5)
  scene.undo()
  assert.equal(scene.restyle(new Map([[id, [...scene.styles.get(id)]]])), false)
  assert.equal(scene.restyle(new Map([[id, [9, 9]]]), 0), false)
  assert.deepEqual([scene.done.length, scene.undone.length], [1, 1])
  assert.ok(scene.restyle(new Map([[id, [9, 9]], [1, [1, 1]]])))
  assert.deepEqual([...scene.done.at(-1).styles.keys()], [id]) // the road has it already
})

test('a change forgets the scene that was opened later', () => {
  const scene = street()
  scene.later = street()
  scene.restyle(new Map([[1, [1, 1]]]))
  assert.ok(scene.later)
  scene.paint([[10, 30]], 2, 5)
  assert.equal(scene.later, null)
})

test('a single point is a disc of its diameter', () => {
  const mask = strokeMask([[10, 10]], 7, 40, 40)
  assert.ok(Math.abs(mask.on.reduce((a, b) => a + b) - Math.PI * 3.5 ** 2) < 4)
})

test('regions, objects and nearest pixels', () => {
  const values = [0, 0, 1, 0, 1, 1, 1, 0, 0]
  const count = mask => mask.on.reduce((a, b) => a + b)
  assert.equal(count(region(values, 3, 3, 2, 0)), 3)
  assert.equal(count(region(values, 3, 3, 2, 0, true)), 4)
  assert.deepEqual([...numberObjects([2, 0, 0, 2, 0, 0, 0, 0, 2], 3, 3, [false, false, true])], [2000, 0, 0, 2000, 0, 0, 0, 0, 2001])
  assert.deepEqual([...fillFromNearest([5, 0, 0, 6], 4, 1, [1, 0, 0, 1], [0, 1, 1, 0])], [5, 5, 6, 6])
  const ids = Int32Array.from([3, 3, 4, 4, 4, 3])
  assert.deepEqual(unruns(runs(ids, 3, 2)).values, ids)
})

test('the same seed, the same numbers; weights are kept', () => {
  assert.equal(random(5)(), random(5)())
  assert.notEqual(random(5)(), random(6)())
  const next = random(1), counts = [0, 0]
  for (let i = 0; i < 2000; i++) counts[weighted([1, 9], next)]++
  assert.ok(Math.abs(counts[1] / 2000 - 0.9) < 0.03)
})

test('PNGs of 8 and 16 bits come back as they were', async () => {
  for (const bits of [8, 16]) {
    const values = Int32Array.from({ length: 35 * 33 }, (_, p) => p * 7 % (bits === 8 ? 256 : 65536))
    const png = await decodePng(await encodePng(values, 35, 33, bits))
    assert.equal(png.width, 35)
    assert.deepEqual([...png.values], [...values])
  }
  await assert.rejects(decodePng(new Uint8Array(40)), /no PNG/)
})

test('label maps as ids and as colours; other colours are named', () => {
  const n = 32 * 32, at = (channels, values) => ({ width: 32, height: 32, channels, values: Uint16Array.from(values) })
  const ids = Array.from({ length: n }, (_, p) => p < n / 2 ? 0 : 1), colors = ids.flatMap(c => classes[c].color)
  assert.deepEqual([...labelsOf(at(1, ids), classes)], ids)
  assert.deepEqual([...labelsOf(at(3, colors), classes)], ids)
  assert.deepEqual([...idsOf(at(3, ids.flatMap(c => [c, c, c])), classes)], ids)
  colors.splice(0, 3, 71, 130, 180)
  assert.throws(() => labelsOf(at(3, colors), classes), /\(71, 130, 180\) with 1 pixels, nearest to sky/)
  assert.throws(() => labelsOf(at(1, ids.map(() => 200)), classes), /id 200/)
})

test('an indexed PNG is read by its colours where they are the classes\', as in Python', () => {
  const n = 32 * 32, indexed = (values, colors) => ({ width: 32, height: 32, channels: 1, values: Uint16Array.from(values), palette: Uint8Array.from(colors.flat()) })
  const half = (a, b) => Array.from({ length: n }, (_, p) => p < n / 2 ? a : b), [sky, road, car] = classes.map(c => c.color)
  assert.deepEqual([...labelsOf(indexed(half(0, 1), [car, sky, road]), classes)], half(2, 0)) // other numbers than the classes'
  assert.deepEqual([...labelsOf(indexed(half(7, 1), [sky, road, car, car, car, car, car, car]), classes)], half(2, 1))
  assert.deepEqual([...labelsOf(indexed(half(0, 2), [sky, [1, 2, 3], car]), classes)], half(0, 2)) // the classes' own
  assert.deepEqual([...labelsOf(indexed(half(0, 2), [[9, 9, 9], [8, 8, 8], [7, 7, 7]]), classes)], half(0, 2)) // colours of no class
  assert.deepEqual([...labelsOf(indexed(half(0, 1), [sky, [9, 9, 9]]), classes)], half(0, 1))
  assert.throws(() => labelsOf(indexed(half(0, 1), [car, [9, 9, 9]]), classes), /0 has the colour \(0, 0, 142\) of car, and 1 the colour \(9, 9, 9\), which is no class's.*grey PNG/)
  assert.throws(() => labelsOf(indexed(half(0, 5), [[9, 9, 9]]), classes), /id 5/)
  const grey = [...classes, { id: 3, name: 'wall', color: [0, 0, 0], thing: false }], black = new Array(3 * n).fill(0)
  assert.deepEqual([...labelsOf({ width: 32, height: 32, channels: 3, values: Uint16Array.from(black) }, grey)], half(3, 3)) // RGB in greys that are classes'
})

test('network inputs repeat the edge; pooling is the mean of an object', () => {
  assert.deepEqual(padded(30, 70, 8), { w: 32, h: 72 })
  const x = inputs(Int32Array.from([1, 2000, 1, 1]), 2, 2, new Map([[1, [0.5]], [2000, [2]]]), 4)
  assert.equal(x.w, 8)
  assert.equal(x.instance[7], 2000)
  assert.equal(x.label[7], 2)
  assert.equal(x.styles[7], 2)
  assert.deepEqual(around({ x: 0, y: 0, w: 60, h: 200 }, 256, 256, 128), { x: 0, y: 36, w: 128, h: 128 })
  const means = pooled(Float32Array.from([1, 2, 3, 4]), { w: 2, h: 2 }, [0, 0, 7, 7], 2, 2)
  assert.deepEqual(means.get(7), [3.5])
  assert.deepEqual([...picture(Float32Array.from([-1, 0, 1]), { w: 1, h: 1 }, 1, 1)], [0, 128, 255, 255])
})

test('styles are sampled that were seen together', () => {
  const book = new StyleBook({
    0: { centres: [[0], [1]], counts: [2, 2], together: [[1, 0], [0, 1], [2, 0]] }, // by day, at dusk, by day
    1: { centres: [[0], [1]], counts: [2, 2], together: [[3, 0], [0, 1], [0, 0]] },
    2: { centres: [[0], [1]], counts: [9, 9], together: [[0, 0], [0, 0], [0, 0]] }, // seen in other scenes alone
  })
  const seen = new Set()
  for (let seed = 0; seed < 40; seed++) {
    const styles = book.sample([0, 1, 2, 1000, 1001], id => id >= 1000 ? 1 : id, seed)
    const [sky] = styles.get(0)
    for (const id of [1, 1000, 1001]) assert.deepEqual(styles.get(id), [sky]) // a scene without class 1 takes it from the one that is like it
    seen.add(`${sky} ${styles.get(2)}`)
  }
  assert.equal(seen.size, 4)
})
