// A scene under edit and its history: the same operations, numbers and JSON as SceneEditor of the Python package.
import { random } from './random.js'
import { blend, StyleBook } from './styles.js'
import { boxMask, fillFromNearest, isWhole, region, runs, scaled, sizeOf, strokeMask, unruns } from './raster.js'

export const FORMAT = 'pix2pixhd_nb edit 1'
const MOST_HISTORY = 2 ** 27 // pixels, in all steps of a scene that is opened
export const classOf = id => id >= 1000 ? Math.floor(id / 1000) : id

export class Scene {
  constructor (world, ids, width, height, styles = new Map()) { // ids: Int32Array of width * height
    Object.assign(this, { world, ids, width, height, styles, done: [], undone: [], before: null, later: null, cache: null }) // before, later: the scene that this one took the place of, and one that was opened after it and taken back
    this.classes = world.label_space.classes
    const odd = ids.find(id => !this.classes[classOf(id)])
    if (odd !== undefined) throw new Error(`The scene has an object ${odd} of class ${classOf(odd)}, but this world has classes 0 to ${this.classes.length - 1}: choose the world that it was made in.`)
  }

  static fromRuns (world, d, styles = {}) {
    const { w, h, values } = unruns(d)
    return new Scene(world, values, w, h, new Map(Object.entries(styles).map(([i, v]) => [+i, v])))
  }

  get objects () { // Map of id to {x, y, w, h, area}
    if (this.cache) return this.cache
    const found = new Map()
    let last = -1, o = null
    for (let y = 0, p = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++, p++) {
        const id = this.ids[p]
        if (id !== last) { last = id; o = found.get(id); if (!o) found.set(id, o = { x0: x, x1: x, y0: y, y1: y, area: 0 }) }
        o.area++; o.y1 = y
        if (x < o.x0) o.x0 = x; if (x > o.x1) o.x1 = x
      }
    }
    return (this.cache = new Map([...found].sort((a, b) => a[0] - b[0]).map(([id, b]) => [id, { x: b.x0, y: b.y0, w: b.x1 - b.x0 + 1, h: b.y1 - b.y0 + 1, area: b.area }])))
  }

  get labels () { return this.ids.map(classOf) }
  isThing (cls) { return this.classes[cls].thing }
  at (x, y) { return this.ids[y * this.width + x] }
  ofClass (cls) { return [...this.objects.keys()].filter(id => classOf(id) === cls) }

  name (id) { // 'car 2', in the order of the scene; 'sky' for stuff
    const cls = classOf(id), all = this.ofClass(cls)
    return id < 1000 || all.length < 2 ? this.classes[cls].name : `${this.classes[cls].name} ${all.indexOf(id) + 1}`
  }

  maskOf (id) {
    const o = this.objects.get(id)
    if (!o) throw new Error('This object is no longer in the scene.')
    const ids = this.cut(o)
    return { ...o, on: Uint8Array.from(ids, v => v === id ? 1 : 0) }
  }

  cut ({ x, y, w, h }) {
    const out = new Int32Array(w * h)
    for (let j = 0; j < h; j++) out.set(this.ids.subarray((y + j) * this.width + x, (y + j) * this.width + x + w), j * w)
    return out
  }

  put ({ x, y, w, h }, values) {
    for (let j = 0; j < h; j++) this.ids.set(values.subarray(j * w, (j + 1) * w), (y + j) * this.width + x)
    this.cache = null
  }

  // ---- steps

  write (step, box, after) {
    const before = this.cut(box)
    if (after.every((v, p) => v === before[p])) return
    this.put(box, after)
    step.changes.push({ x: box.x, y: box.y, w: box.w, h: box.h, before, after })
  }

  give (step, mask, id) { this.write(step, mask, this.cut(mask).map((v, p) => mask.on[p] ? id : v)) }

  setStyle (step, id, style) {
    step.styles.set(id, [step.styles.get(id)?.[0] ?? this.styles.get(id) ?? null, style])
    if (style) this.styles.set(id, style); else this.styles.delete(id)
  }

  commit (step) { // enters a step into the history; false if it changed nothing
    for (const c of step.changes) for (const id of new Set(c.before)) if (!this.objects.has(id) && this.styles.has(id)) this.setStyle(step, id, null)
    for (const [id, [before, after]] of step.styles) if (before?.join() === after?.join()) step.styles.delete(id)
    if (!step.changes.length && !step.styles.size) return false
    this.done.push(step)
    this.undone = []
    this.later = null
    return true
  }

  undo () {
    const step = this.done.pop()
    if (!step) return null
    for (const c of [...step.changes].reverse()) this.put(c, c.before)
    return this.replay(step, 0, this.undone)
  }

  redo () {
    const step = this.undone.pop()
    if (!step) return null
    for (const c of step.changes) this.put(c, c.after)
    return this.replay(step, 1, this.done)
  }

  replay (step, which, onto) {
    for (const [id, pair] of step.styles) if (pair[which]) this.styles.set(id, pair[which]); else this.styles.delete(id)
    onto.push(step)
    return step
  }

  newId (cls) {
    if (!this.isThing(cls)) return cls
    for (let k = 0; k < 1000; k++) if (!this.objects.has(1000 * cls + k)) return 1000 * cls + k
    throw new Error(`There are a thousand objects of class ${this.classes[cls].name} already: remove some first.`)
  }

  newStyle (step, id, style = null) {
    if (!style && !this.styles.has(id)) style = this.world.book.any(classOf(id), random(this.done.length))
    if (style) this.setStyle(step, id, style)
  }

  // ---- operations; each returns whether anything changed, or the id of what it made

  drawMask (name, mask, cls, goOn = null) {
    const id = goOn !== null && classOf(goOn) === cls && this.objects.has(goOn) ? goOn : this.newId(cls), step = { name, changes: [], styles: new Map() }
    this.give(step, mask, id)
    if (step.changes.length) this.newStyle(step, id)
    return this.commit(step) ? id : null
  }

  paint (points, cls, brush, goOn = null) { return this.drawMask('paint', strokeMask(points, brush, this.width, this.height), cls, goOn) }
  box (a, b, cls, round = false) { return this.drawMask('paint', boxMask(a, b, this.width, this.height, round), cls) }
  fill (x, y, cls) { return this.drawMask('fill', region(this.ids, this.width, this.height, x, y), cls) }

  setClass (id, cls) {
    if (classOf(id) === cls) return null
    return this.drawMask('set_class', this.maskOf(id), cls)
  }

  behind (id) { // a window around an object, and its content with the background in the object's place
    const own = this.objects.get(id)
    for (let margin = 4; ; margin *= 4) {
      const x = Math.max(0, own.x - margin), y = Math.max(0, own.y - margin)
      const box = { x, y, w: Math.min(this.width, own.x + own.w + margin) - x, h: Math.min(this.height, own.y + own.h + margin) - y }
      const ids = this.cut(box)
      const fits = new Set([...new Set(ids)].filter(i => i !== id && (i < 1000 || (classOf(i) !== classOf(id) && this.objects.get(i).area > own.area))))
      if (fits.size) return { box, content: fillFromNearest(ids, box.w, box.h, Uint8Array.from(ids, v => fits.has(v)), Uint8Array.from(ids, v => v === id)) }
      if (box.w === this.width && box.h === this.height) throw new Error(`${this.name(id)} cannot be removed: there is no background around it; paint over it instead.`)
    }
  }

  remove (id) {
    const step = { name: 'remove', changes: [], styles: new Map() }, { box, content } = this.behind(id)
    this.write(step, box, content)
    return this.commit(step)
  }

  nearer (box, foot, but) { // which pixels belong to things that reach below row `foot` in their column; one may be left out
    const ids = this.cut(box), hidden = new Uint8Array(ids.length)
    for (const id of new Set(ids)) {
      const o = this.objects.get(id)
      if (id < 1000 || id === but || o.y + o.h - 1 <= foot) continue
      for (let i = 0; i < box.w; i++) {
        let below = false
        for (let y = Math.max(o.y, foot + 1); y < o.y + o.h && !below; y++) below = this.at(box.x + i, y) === id
        if (below) for (let j = 0; j < box.h; j++) if (ids[j * box.w + i] === id) hidden[j * box.w + i] = 1
      }
    }
    return hidden
  }

  heightAt (shape, foot) { // as a share of the picture's height
    const own = shape.h / shape.picture_height, line = this.world.lines[shape.label]
    if (!line) return own
    const at = y => Math.max(line[0] * y + line[1], line[2] / 2)
    return own * at(foot) / at(shape.foot)
  }

  footprint (shape, x, y, id) { // the mask of a shape whose foot's middle stands at a point, behind what is nearer but its own object
    const tall = this.heightAt(shape, (y + 1) / this.height) * this.height, h = Math.max(1, Math.round(tall)), w = Math.max(1, Math.round(shape.w * tall / shape.h))
    const top = y + 1 - h, left = x - Math.floor(w / 2), whole = scaled(shape.mask, shape.w, shape.h, w, h)
    const box = { x: Math.max(0, left), y: Math.max(0, top) }
    box.w = Math.min(this.width, left + w) - box.x
    box.h = Math.min(this.height, top + h) - box.y
    if (box.w <= 0 || box.h <= 0) throw new Error('The object would be outside the picture.')
    const hidden = this.nearer(box, y, id), on = new Uint8Array(box.w * box.h)
    for (let j = 0; j < box.h; j++) for (let i = 0; i < box.w; i++) on[j * box.w + i] = whole[(j + box.y - top) * w + i + box.x - left] && !hidden[j * box.w + i]
    return { ...box, on }
  }

  place (shape, x, y, id) {
    const mask = this.footprint(shape, x, y, id)
    if (!mask.on.some(Boolean)) throw new Error('The object would be hidden there by what stands in front: choose a place nearer to the viewer.')
    return mask
  }

  add (shape, x, y, style = null) { // id of the new object
    const step = { name: 'add', changes: [], styles: new Map() }, id = this.newId(shape.label)
    this.give(step, this.place(shape, x, y), id)
    this.newStyle(step, id, style)
    this.commit(step)
    return id
  }

  shapeOf (id) { // an object as a shape, and where it stands
    if (id < 1000) throw new Error(`${this.name(id)} is background: only objects can be moved or duplicated.`)
    const m = this.maskOf(id)
    return { shape: { label: classOf(id), mask: m.on, w: m.w, h: m.h, foot: (m.y + m.h) / this.height, picture_height: this.height }, x: m.x + Math.floor(m.w / 2), y: m.y + m.h - 1 }
  }

  copy (id, x, y) { return this.add(this.shapeOf(id).shape, x, y, this.styles.get(id)) }

  move (id, dx, dy) {
    const { shape, x, y } = this.shapeOf(id), step = { name: 'move', changes: [], styles: new Map() }
    const mask = this.place(shape, x + dx, y + dy, id), { box, content } = this.behind(id) // before its pixels are filled, since what fills them stands behind it
    this.write(step, box, content)
    this.give(step, mask, id)
    return this.commit(step)
  }

  restyle (styles, t = 1) { // Map of id to style; t 0 keeps the present one, 1 takes the new one whole
    const step = { name: 'restyle', changes: [], styles: new Map() }
    for (const [id, style] of styles) {
      const now = this.styles.get(id)
      this.setStyle(step, id, now ? blend(now, style, t) : style)
    }
    return this.commit(step)
  }

  complete () { // gives a style to every object that has none yet; no step
    const next = random(0)
    for (const id of this.objects.keys()) if (!this.styles.has(id)) this.styles.set(id, this.world.book.any(classOf(id), next))
  }

  // ---- JSON

  toJSON (steps = Infinity) { // `steps`: the most of the history that is kept
    const change = c => ({ at: [c.y, c.x], before: runs(c.before, c.w, c.h), after: runs(c.after, c.w, c.h) })
    const step = s => ({ name: s.name, changes: s.changes.map(change), styles: Object.fromEntries(s.styles) })
    return {
      format: FORMAT, model: this.world.model, label_space: this.world.label_space, instance_map: runs(this.ids, this.width, this.height), styles: Object.fromEntries(this.styles),
      done: (steps === Infinity ? this.done : this.done.slice(-steps)).map(step), undone: (steps === Infinity ? this.undone : []).map(step)
    }
  }

  static fromJSON (world, d) {
    if (d?.format !== FORMAT) throw new Error(`The file is no scene of the studio: its format is ${JSON.stringify(d?.format)}, expected ${JSON.stringify(FORMAT)}.`)
    const names = s => (Array.isArray(s?.classes) ? s.classes : []).map(c => c?.name).join(', '), ours = world.model ?? '', n = world.book.features
    if (names(d.label_space) !== names(world.label_space)) throw new Error(`The scene has other classes than this world (${names(d.label_space)}): choose the world that it was made in.`)
    let scene
    try {
      checkHistory(d, sizeOf(d.instance_map), world)
      checkClasses(d.instance_map.ids, world)
      const { w, h, values } = unruns(d.instance_map)
      scene = new Scene(world, values, w, h)
      scene.styles = new Map(stylesIn(d).map(([id, v]) => [id, styleOf(v)]).filter(([id, v]) => v && scene.objects.has(id)))
      scene.done = d.done.map(stepOf)
      scene.undone = d.undone.map(stepOf)
    } catch (e) { throw new Error(`The file is no whole scene (${e.message}): save it again.`) }
    if (n && (d.model ?? ours) !== ours) throw new Error(`The scene has styles of encoder ${String(d.model || 'unknown').slice(0, 40)}, this world has encoder ${ours || 'unknown'}: open it in the world that it was made in.`)
    const odd = [...scene.styles.values(), ...[...scene.done, ...scene.undone].flatMap(s => [...s.styles.values()].flat())].find(v => v && v.length !== n)
    if (n && odd) throw new Error(`The scene has a style of ${odd.length} numbers, those of this world have ${n}: open it in the world that it was made in.`)
    return scene
  }
}

// ---- what a file claims is checked before anything is made of it, as in Python

const listed = (v, name) => { if (Array.isArray(v)) return v; throw new Error(`${name} is no list`) }

function checkClasses (ids, world) {
  const odd = ids.find(id => !world.label_space.classes[classOf(id)])
  if (odd !== undefined) throw new Error(`an object has the id ${odd}`)
}

function checkHistory (d, [height, width], world) { // every step lies in the scene, and all of them together are no larger than any history
  let total = 0
  for (const k of ['done', 'undone']) {
    for (const c of listed(d[k], k).flatMap(step => listed(step?.changes, 'changes'))) {
      const [h, w] = sizeOf(c.before), [y, x] = listed(c.at, 'at'), after = sizeOf(c.after)
      if (after[0] !== h || after[1] !== w || !isWhole(y, 0, height - h) || !isWhole(x, 0, width - w)) throw new Error('a change does not lie in the scene')
      for (const part of [c.before, c.after]) checkClasses(part.ids, world)
      total += 2 * h * w
    }
  }
  if (total > MOST_HISTORY) throw new Error(`its changes cover ${total} pixels, expected at most ${MOST_HISTORY}`)
}

function stylesIn (d) { // [[id, what is given for it]...]
  const styles = d.styles ?? d.looks // as the first release called them
  if (typeof styles !== 'object' || !styles) throw new Error('the styles are absent')
  return Object.entries(styles).map(([id, v]) => { if (/^\d{1,9}$/.test(id)) return [+id, v]; throw new Error(`a style is of the object ${id.slice(0, 40)}`) })
}

function styleOf (v) {
  if (v === null || (Array.isArray(v) && v.length && v.every(x => Number.isFinite(x) && Math.abs(x) <= 1e30))) return v
  throw new Error(`a style is ${String(JSON.stringify(v)).slice(0, 80)}`)
}

function stepOf (d) {
  if (typeof d.name !== 'string' || !/^[\p{L}\p{N}_ -]{1,40}$/u.test(d.name)) throw new Error(`a step is called ${String(JSON.stringify(d.name)).slice(0, 80)}`)
  const changes = d.changes.map(c => { const b = unruns(c.before), a = unruns(c.after); return { y: c.at[0], x: c.at[1], w: b.w, h: b.h, before: b.values, after: a.values } })
  const styles = stylesIn(d).map(([id, pair]) => { if (Array.isArray(pair) && pair.length === 2) return [id, pair.map(styleOf)]; throw new Error(`the styles of a step are ${String(JSON.stringify(pair)).slice(0, 80)}`) })
  return { name: d.name, changes, styles: new Map(styles) }
}

function openCheck (d) { // a small scene and its picture by PyTorch
  const { w, h, values } = unruns(d.instance_map)
  return { ids: values, width: w, height: h, styles: new Map(Object.entries((d.styles ?? d.looks)).map(([i, v]) => [+i, v])), rgb: Uint8Array.from(atob(d.picture), c => c.charCodeAt(0)) }
}

export function openWorld (d) { // what world.json holds, ready for scenes
  const shapes = d.shapes.map(s => { const { w, h, values } = unruns(s.mask); return { ...s, w, h, mask: Uint8Array.from(values) } })
  return { ...d, shapes, book: new StyleBook(d.styles), check: d.check && openCheck(d.check) }
}
