// The page: what the buttons, keys and pictures do with the scene.
import { Drawer } from './drawer.js'
import { addIcons, icon } from './icons.js'
import { around } from './network.js'
import { blend, same } from './styles.js'
import { colorsOf, idsOf, LARGEST, paintMap, SMALLEST } from './files.js'
import { classOf, openWorld, Scene } from './scene.js'
import { decodePng, encodePng } from './png.js'
import { Stage } from './stage.js'

const $ = id => document.getElementById(id)
const make = (tag, props = {}, ...children) => { const e = Object.assign(document.createElement(tag), props); e.append(...children); return e }
const TOOLS = [['select', 'Select', 'v'], ['brush', 'Brush', 'b'], ['fill', 'Fill', 'f'], ['box', 'Box', 'r'], ['round', 'Round', 'o'], ['stamp', 'Stamp', 'a'], ['eraser', 'Remove', 'x'], ['pick', 'Pick', 'i']]
const SAYS = {
  select: 'Select: click an object to change its style; drag an object to move it.', brush: 'Brush: paint; a stroke that begins on an object of the class goes on with it.', fill: 'Fill: click a region.',
  box: 'Box: drag from corner to corner.', round: 'Round: drag from corner to corner.', stamp: 'Stamp: click where a new object shall stand.', eraser: 'Remove: click an object.', pick: 'Pick: click to paint with that class.'
}
const KEYS = [['V B F R O A X I', 'tools, in the order shown'], ['1 to 9', 'class to paint with'], ['[ and ]', 'smaller and larger brush'], ['Ctrl+Z, Ctrl+Shift+Z', 'undo, redo'], ['Delete', 'remove the selected object'], ['Escape', 'stop, select nothing'], ['C', 'compare'],
  ['Wheel, + − 0', 'zoom, fit'], ['Space or middle button and drag', 'pan; on a touch screen two fingers'], ['Tab to a picture, then arrows', 'move the cursor, with Shift by ten'], ['Enter', 'use the tool; with brush and boxes: begin, end'], ['Alt and arrows', 'move the selected object']]
const KEPT_STEPS = 40, THUMB = 128

let world, scene, stage, selected = null, tool = 'select', cls = 0, scope = 'one', press = null, restyling = null, shapeSeed = 0, history = new Map(), saveTimer = 0
const drawer = new Drawer({
  ready: d => { $('where').textContent = `It runs on ${d.where}${d.threads > 1 ? ` with ${d.threads} threads` : ''}.`; document.body.dataset.engine = d.where; performance.mark('ready'); document.body.dataset.threads = d.threads },
  picture: shown, style: showStyle, photo: (styles, of) => { if (of === scene) attempt(() => did(scene.restyle(new Map([...styles].filter(([id]) => scene.objects.has(id)))), 'Every object has its style from your photo.')) },
  failed: (message, what) => say(what === 'start' ? `The model could not be loaded (${message}): reload the page.` : `No picture: ${message}`, true),
  busy: yes => { $('work').classList.toggle('on', yes) }
})

function say (text, bad = false) {
  $('status').textContent = text
  $('status').classList.toggle('bad', bad)
}

async function attempt (action) { // errors become a line of the status
  try { return await action() } catch (e) { say(e.message, true) }
}

const nameOf = id => scene.name(id)
const colorOf = (c, alpha = 1) => `rgb(${world.label_space.classes[c].color.join(' ')} / ${alpha})`

// ---- worlds and scenes

async function openNamed (name) {
  const response = await fetch(`worlds/${name}/world.json`)
  if (!response.ok) throw new Error(`The world ${name} could not be loaded: reload the page.`)
  world = openWorld(await response.json())
  drawer.open(world, !new URLSearchParams(location.search).has('wasm'))
  cls = world.brush
  fillPalette()
  fillGallery()
  const kept = read()
  if (kept) { try { return begin(Scene.fromJSON(world, kept), 'Your scene of last time.') } catch { /* of an older page: begin anew */ } }
  openScene(0)
  showKept(name)
}

async function showKept (name) { // the first scene's picture, generated when the page was built, until the model is there
  const response = await fetch(`worlds/${name}/first.webp`).catch(() => null)
  if (!response?.ok) return
  const bitmap = await createImageBitmap(await response.blob())
  if (document.body.dataset.generated || bitmap.width !== scene.width || bitmap.height !== scene.height) return
  stage.picture.getContext('2d').drawImage(bitmap, 0, 0)
  document.body.dataset.kept = 'yes'
  performance.mark('kept')
}

function openScene (k) {
  const s = world.scenes[k]
  begin(Scene.fromRuns(world, s.instance_map, s.styles), `${s.title}. Click an object to change its style, or take the brush and paint.`)
}

function openBlank () { // sky above the rest
  const [h, w] = world.scenes[0].instance_map.size
  const names = world.label_space.classes.map(c => c.name), top = Math.max(0, names.indexOf('sky')), ids = new Int32Array(w * h).fill(top)
  ids.fill(world.brush, w * Math.round(0.45 * h))
  begin(new Scene(world, ids, w, h), 'A blank scene.')
}

function begin (next, text) {
  scene = next
  scene.complete()
  selected = null
  restyling = null
  history = new Map()
  stage.open(scene.width, scene.height)
  refresh()
  say(text)
}

function replace (next, text) { // an opened scene takes the place of the present one; Undo brings that back
  const before = scene
  begin(next, `${text} Undo brings back what was there.`)
  follow(before)
}

function follow (before) {
  scene.before = before
  before.later = null
  updateButtons()
}

// ---- after every change

function did (changed, text, select = selected) {
  if (changed === null || changed === false) { if (selected !== null) showSelection(); return say('Nothing changed.') }
  for (const depth of history.keys()) if (depth >= scene.done.length) history.delete(depth)
  selected = select
  refresh()
  say(text)
}

function refresh () {
  if (selected !== null && !scene.objects.has(selected)) selected = null
  scene.complete()
  stage.show(stage.map, paintMap(scene))
  const depth = scene.done.length
  refresh.generated = { n: drawer.draw(scene), depth, scene }
  showSelection()
  updateButtons()
  clearTimeout(saveTimer)
  saveTimer = setTimeout(keep, 500)
}

function shown (d) {
  if (d.w !== scene.width || d.h !== scene.height) return
  stage.show(stage.picture, d.rgba)
  $('time').textContent = `${(d.ms / 1000).toFixed(2)} s`
  document.body.dataset.generated = d.n
  delete document.body.dataset.kept
  document.body.dataset.ms = Math.round(d.ms)
  performance.mark('picture')
  if (refresh.generated.n === d.n) remember(refresh.generated.depth)
}

function updateButtons () {
  $('undo').disabled = !scene.done.length && !scene.before
  $('redo').disabled = !scene.undone.length && !scene.later
  for (const b of $('history').querySelectorAll('button')) b.setAttribute('aria-current', +b.dataset.depth === scene.done.length ? 'step' : 'false')
}

function remember (depth) { // a small picture of each step, to go back to
  const c = make('canvas', { width: Math.round(76 * scene.width / scene.height), height: 76 })
  c.getContext('2d').drawImage(stage.picture, 0, 0, c.width, c.height)
  history.set(depth, c)
  $('history').replaceChildren(...[...history].sort((a, b) => a[0] - b[0]).slice(-30).map(([k, canvas]) => {
    const b = make('button', { title: k ? `Go to step ${k}` : 'Go to the beginning' }, canvas)
    b.setAttribute('aria-label', b.title)
    b.dataset.depth = k
    b.onclick = () => goTo(k)
    return make('li', {}, b)
  }))
  updateButtons()
  $('history').scrollLeft = 1e6
}

function goTo (depth) {
  restyling = null
  while (scene.done.length > depth && scene.undo());
  while (scene.done.length < depth && scene.redo());
  refresh()
  say(depth ? `Step ${depth}.` : 'The beginning.')
}

function undo () {
  restyling = null
  if (scene.done.length) { const step = scene.undo(); refresh(); return say(`Undone: ${WORDS[step.name] ?? step.name}.`) }
  if (scene.before) {
    const later = scene
    begin(scene.before, 'The scene from before is back.')
    scene.later = later
    return updateButtons()
  }
  say('There is nothing to undo.')
}

function redo () {
  restyling = null
  const step = scene.redo()
  if (!step && scene.later) return begin(scene.later, 'The scene opened later is back.')
  if (!step) return say('There is nothing to redo.')
  refresh()
  say(`Redone: ${WORDS[step.name] ?? step.name}.`)
}
const WORDS = { paint: 'painting', fill: 'filling', set_class: 'change of class', remove: 'removal', move: 'move', add: 'new object', restyle: 'change of style' }

const storeKey = () => `pix2pixhd studio ${world.name}`
function keep () {
  for (const steps of [KEPT_STEPS, 0]) { try { return localStorage.setItem(storeKey(), JSON.stringify(scene.toJSON(steps))) } catch { /* full, or not allowed: keep less */ } }
}
function read () {
  try { return JSON.parse(localStorage.getItem(storeKey())) } catch { return null }
}

// ---- selection, styles

function select (id) {
  selected = id
  restyling = null
  showSelection()
  if (id !== null) say(`${nameOf(id)} is selected: choose a style${id >= 1000 ? ', or drag it' : ''}.`)
}

const inScope = () => scope === 'all' ? scene.ofClass(classOf(selected)) : [selected]

function showSelection () {
  const here = selected !== null
  stage.mark({ outline: here ? scene.maskOf(selected) : null })
  $('what').textContent = here ? nameOf(selected) : 'Whole scene'
  $('selected').hidden = !here
  $('object').replaceChildren(make('option', { value: '', textContent: 'none: the whole scene' }), ...[...scene.objects.keys()].map(id => make('option', { value: id, textContent: nameOf(id), selected: id === selected })))
  $('shuffle').querySelector('span').textContent = here ? `Shuffle ${scope === 'all' ? 'class' : 'style'}` : 'Shuffle styles'
  if (!here) { $('styles').dataset.key = ''; return drawer.showStyles([]) }
  const c = classOf(selected), name = world.label_space.classes[c].name, n = scene.ofClass(c).length
  $('styletitle').textContent = `Styles of ${name}`
  $('all').textContent = `All ${n} of its class`
  $('all').disabled = n < 2
  $('duplicate').disabled = selected < 1000
  $('become').value = c
  const centres = world.book.of(c), now = scene.styles.get(selected)
  if ($('styles').dataset.key !== `${selected}`) {
    $('styles').dataset.key = `${selected}`
    $('styles').replaceChildren(...centres.map((_, k) => {
      const b = make('button', { title: `Style ${k + 1}` }, make('canvas', { width: 64, height: 64 }))
      b.setAttribute('aria-label', `Style ${k + 1} of ${name}`)
      b.onclick = () => attempt(() => chooseStyle(k))
      return b
    }))
  }
  const chosen = choice()?.k ?? centres.findIndex(v => same(v, now))
  ;[...$('styles').children].forEach((b, k) => b.setAttribute('aria-pressed', k === chosen))
  showStyles(centres)
}

function showStyles (centres) { // each style on that very object, generated when the picture is done
  const window = around(scene.objects.get(selected), scene.width, scene.height, THUMB), ids = scene.cut(window), side = window.w
  const there = new Map([...new Set(ids)].map(id => [id, scene.styles.get(id)]))
  drawer.showStyles(centres.map((v, k) => ({ key: k, ids, w: side, h: side, styles: new Map([...there, [selected, v]]) })))
}

function showStyle (d) {
  const c = $('styles').children[d.key]?.firstChild
  if (!c) return
  c.width = d.w
  c.height = d.h
  c.getContext('2d').putImageData(new ImageData(d.rgba, d.w, d.h), 0, 0)
}

const share = () => +$('blend').value / 100

function choice () { // the last choice of a style, while it is for the object selected and nothing was done since
  if (restyling && (restyling.of !== selected || restyling.last !== scene.done.at(-1))) restyling = null
  return restyling
}

function chooseStyle (k, t = share()) { // another try takes the place of the last one
  const ids = inScope(), mine = choice()?.ids.join() === ids.join(), undone = mine && restyling.made && scene.undo()
  const base = mine ? restyling.base : new Map(ids.map(id => [id, scene.styles.get(id)])), centre = world.book.of(classOf(selected))[k]
  const made = scene.restyle(new Map(ids.map(id => [id, blend(base.get(id), centre, t)])))
  restyling = { of: selected, made, last: scene.done.at(-1), ids, base, k }
  did(made || !!undone, `${ids.length > 1 ? `All ${ids.length}` : nameOf(selected)}: style ${k + 1}${t < 1 ? `, ${Math.round(100 * t)} %` : ''}.`)
}

function shuffle () {
  const seed = +$('seed').value || 0, ids = selected === null ? [...scene.objects.keys()] : inScope()
  restyling = null
  did(scene.restyle(world.book.sample(ids, classOf, seed)), `Styles at random, seed ${seed}.`)
  $('seed').value = (seed + 1) % 1000000
}

function remove (id = selected) {
  if (id === null) return say('Select an object to remove it.')
  const name = nameOf(id)
  did(scene.remove(id), `Removed ${name}.`, null)
}

function duplicate () { // beside the object where there is room, else nearer to the viewer
  const { shape, x, y } = scene.shapeOf(selected), { w, h } = scene.objects.get(selected)
  const places = [[w, 2], [-w, 2], [w, h >> 1], [-w, h >> 1], [w >> 1, h], [-(w >> 1), h], [0, h], [0, scene.height - 1 - y]]
  const seen = ([dx, dy]) => { try { const m = scene.footprint(shape, x + dx, Math.min(scene.height - 1, y + dy)); return m.on.reduce((n, v) => n + v, 0) } catch { return 0 } }
  const enough = 0.4 * shape.mask.reduce((n, v) => n + v, 0), [dx, dy] = places.find(p => seen(p) > enough) ?? places.reduce((a, b) => seen(b) > seen(a) ? b : a)
  const id = scene.copy(selected, x + dx, Math.min(scene.height - 1, y + dy))
  did(true, `Duplicated as ${nameOf(id)}: drag it where it shall stand.`, id)
}

// ---- tools on the pictures

function shapeNow () {
  const all = world.shapes.filter(s => s.label === cls)
  if (!all.length) throw new Error(`There are no shapes of ${world.label_space.classes[cls].name}; there are of ${[...new Set(world.shapes.map(s => world.label_space.classes[s.label].name))].join(', ')}.`)
  return all[shapeSeed % all.length]
}

const clamp = p => ({ x: Math.min(scene.width - 1, Math.max(0, p.x)), y: Math.min(scene.height - 1, Math.max(0, p.y)) })
const boxOf = (a, b) => ({ x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x) + 1, h: Math.abs(a.y - b.y) + 1, round: tool === 'round' })
const brush = () => +$('brush').value

function down (p) {
  press = null
  drawer.showStyles([]) // the picture after this goes first
  if (tool === 'brush') {
    const q = clamp(p), on = p.inside ? scene.at(q.x, q.y) : null
    press = { points: [[p.x, p.y]], goOn: on >= 1000 && classOf(on) === cls ? on : null }
    return stage.mark({ stroke: { points: press.points, brush: brush(), color: colorOf(cls, 0.85) }, ring: null })
  }
  if (!p.inside) return tool === 'select' && select(null)
  const id = scene.at(p.x, p.y)
  if (tool === 'select') press = { from: p, id }
  else if (tool === 'box' || tool === 'round') { press = { from: p }; stage.mark({ box: boxOf(p, p) }) } else if (tool === 'fill') attempt(() => { const made = scene.fill(p.x, p.y, cls); did(made, 'Filled.', made) })
  else if (tool === 'stamp') {
    attempt(() => {
      const made = scene.add(shapeNow(), p.x, p.y)
      shapeSeed++
      stage.mark({ ghost: null })
      did(true, `Added ${nameOf(made)}.`, made)
    })
  } else if (tool === 'eraser') attempt(() => remove(id))
  else if (tool === 'pick') { setClass(classOf(id)); setTool('brush') }
}

function move (p) {
  if (!press) return
  if (press.points) {
    const last = press.points.at(-1)
    if (last[0] !== p.x || last[1] !== p.y) press.points.push([p.x, p.y])
    stage.mark({ stroke: { points: press.points, brush: brush(), color: colorOf(cls, 0.85) } })
  } else if (tool === 'select') {
    const dx = p.x - press.from.x, dy = p.y - press.from.y
    if (!press.moving && Math.hypot(dx, dy) * stage.z < 5) return
    if (press.id < 1000) return
    if (!press.moving) { press.moving = scene.shapeOf(press.id); if (selected !== press.id) select(press.id) }
    press.by = [dx, dy]
    try { stage.mark({ ghost: { ...scene.footprint(press.moving.shape, press.moving.x + dx, press.moving.y + dy, press.id), color: colorOf(classOf(press.id)) } }) } catch { stage.mark({ ghost: null }) }
  } else stage.mark({ box: boxOf(press.from, clamp(p)) })
}

function up (p) {
  const was = press
  press = null
  stage.mark({ stroke: null, ghost: null, box: null })
  if (!was) return selected !== null && showSelection()
  attempt(() => {
    if (was.points) { const id = scene.paint(was.points, cls, brush(), was.goOn); did(id, `Painted ${id === null ? '' : nameOf(id)}.`, id) }
    else if (tool === 'select') { if (was.moving) did(scene.move(was.id, ...was.by), `Moved ${nameOf(was.id)}.`, was.id); else select(was.id) }
    else { const q = clamp(p), id = scene.box([was.from.x, was.from.y], [q.x, q.y], cls, tool === 'round'); did(id, `Painted ${id === null ? '' : nameOf(id)}.`, id) }
  })
}

function cancel () {
  if (press && selected !== null) showSelection()
  press = null
  stage.mark({ stroke: null, ghost: null, box: null, ring: null })
}

function hover (p) {
  if (!scene) return
  stage.mark({ ring: tool === 'brush' ? { ...p, brush: brush() } : null })
  if (tool !== 'stamp') return
  try { stage.mark({ ghost: p.inside ? { ...scene.footprint(shapeNow(), p.x, p.y), color: colorOf(cls) } : null }) } catch { stage.mark({ ghost: null }) }
}

function key (at, what, step) { // the pictures by keyboard
  const p = { ...at, inside: true }, id = scene.at(p.x, p.y)
  if (what === 'shift') { if (selected >= 1000 && step) attempt(() => did(scene.move(selected, 4 * step[0], 4 * step[1]), `Moved ${nameOf(selected)}.`)); return }
  if (what === 'go') {
    if (press) return move(p)
    hover(p)
    return say(`${nameOf(id)} at ${p.x}, ${p.y}.`)
  }
  if (['brush', 'box', 'round'].includes(tool)) { if (press) return up(p); down(p); return say('The pen is down: arrow keys, then Enter to end, Escape to stop.') }
  down(p)
  if (press) up(p)
}

// ---- controls

function setTool (name) {
  tool = name
  cancel()
  for (const b of $('tools').children) b.setAttribute('aria-pressed', b.dataset.tool === name)
  $('sizes').hidden = name !== 'brush'
  say(SAYS[name])
}

function setClass (c) {
  cls = c
  for (const b of $('palette').children) b.setAttribute('aria-pressed', +b.dataset.cls === c)
}

function fillPalette () { // with the classes that are scored and, where the model has styles, that it has one of
  const { classes, unscored } = world.label_space, styled = Object.keys(world.styles).length > 0
  const scored = classes.filter(c => !unscored.includes(c.id) && (world.styles[c.id] || !styled)), known = scored.length ? scored : classes
  $('palette').replaceChildren(...known.map(c => {
    const swatch = make('span', { className: 'swatch' }), b = make('button', { title: c.id > 0 && c.id < 10 ? `${c.name} (${c.id})` : c.name }, swatch, make('span', { textContent: c.name }), ...(c.id > 0 && c.id < 10 ? [make('kbd', { textContent: c.id, ariaHidden: 'true' })] : []))
    swatch.style.background = `rgb(${c.color.join(' ')})`
    b.dataset.cls = c.id
    b.onclick = () => { setClass(c.id); if (!['brush', 'fill', 'box', 'round', 'stamp'].includes(tool)) setTool('brush') }
    return b
  }))
  setClass(cls)
  $('become').replaceChildren(...known.map(c => make('option', { value: c.id, textContent: c.name })))
}

function fillGallery () {
  const choose = (open, picture, title) => {
    const b = make('button', {}, picture, make('span', { textContent: title }))
    b.onclick = () => { $('gallery').close(); const before = scene; open(); follow(before) }
    return b
  }
  $('thumbnails').replaceChildren(...world.scenes.map((s, k) => choose(() => openScene(k), make('img', { src: `worlds/${world.name}/${s.thumbnail}`, alt: '', loading: 'lazy' }), s.title)),
    choose(openBlank, make('span', { className: 'blank' }), 'Blank'))
}

async function openFile (file) {
  if (/\.json$/i.test(file.name)) {
    let d
    try { d = JSON.parse(await file.text()) } catch { throw new Error(`${file.name} is no JSON: expected a scene that was saved here or by the Python studio.`) }
    const opened = Scene.fromJSON(world, d)
    if (Math.min(opened.width, opened.height) < SMALLEST || Math.max(opened.width, opened.height) > LARGEST) throw new Error(`The scene is ${opened.width}x${opened.height}: each side has to be ${SMALLEST} to ${LARGEST} pixels.`)
    return replace(opened, `Opened ${file.name}.`)
  }
  const png = await decodePng(new Uint8Array(await file.arrayBuffer()))
  replace(new Scene(world, idsOf(png, world.label_space.classes), png.width, png.height), `Opened ${file.name}.`)
}

async function usePhoto (file) { // its middle, scaled to the scene
  let bitmap
  try { bitmap = await createImageBitmap(file) } catch { throw new Error(`${file.name} is no photo that can be read here: try a JPEG or PNG.`) }
  const { width: w, height: h } = scene, scale = Math.max(w / bitmap.width, h / bitmap.height), c = make('canvas', { width: w, height: h }), g = c.getContext('2d')
  g.drawImage(bitmap, (w - bitmap.width * scale) / 2, (h - bitmap.height * scale) / 2, bitmap.width * scale, bitmap.height * scale)
  if (!world.networks.encoder) throw new Error('This world has no encoder, so it takes no styles from photos.')
  say('Taking the styles of your photo…')
  drawer.photo(g.getImageData(0, 0, w, h).data, scene)
}

function download (name, data, type) {
  const a = make('a', { download: name, href: URL.createObjectURL(new Blob([data], { type })) })
  a.click()
  setTimeout(() => URL.revokeObjectURL(a.href), 10000)
  say(`Saved ${name}.`)
}

const toPng = rgba => {
  const c = make('canvas', { width: scene.width, height: scene.height })
  c.getContext('2d').putImageData(new ImageData(rgba, scene.width, scene.height), 0, 0)
  return new Promise(resolve => c.toBlob(resolve, 'image/png'))
}

const SAVES = {
  picture: async () => {
    if (!drawer.settled) say('The picture is saved once it is generated…')
    await drawer.newest()
    download('scene.png', await new Promise(resolve => stage.picture.toBlob(resolve, 'image/png')), 'image/png')
  },
  scene: async () => download('scene.json', JSON.stringify(scene.toJSON()), 'application/json'),
  ids: async () => download('label_map.png', await encodePng(scene.labels, scene.width, scene.height, 8), 'image/png'),
  instances: async () => download('instance_map.png', await encodePng(scene.ids, scene.width, scene.height, 16), 'image/png'),
  colors: async () => download('colors.png', await toPng(colorsOf(scene)), 'image/png')
}

function setView (name) {
  for (const b of document.querySelectorAll('[data-view]')) b.setAttribute('aria-pressed', b.dataset.view === name)
  for (const f of document.querySelectorAll('figure')) f.hidden = name !== 'both' && f.dataset.side !== (name === 'split' ? 'picture' : name)
  $('pictures').classList.toggle('one', name !== 'both')
  stage.split = name === 'split' ? +$('compare').value / 100 : 0
  document.querySelector('.compare').hidden = name !== 'split'
  stage.fit()
}

function keys (e) {
  const typing = e.target.closest('input, select, textarea, dialog'), ctrl = e.ctrlKey || e.metaKey, k = e.key.toLowerCase()
  if (ctrl && (k === 'z' || k === 'y') && !e.target.closest('input[type=number], dialog')) { e.preventDefault(); return k === 'y' || e.shiftKey ? redo() : undo() }
  if (typing || ctrl || e.altKey) return
  const chosen = TOOLS.find(t => t[2] === k)
  if (chosen) setTool(chosen[0])
  else if (/^[1-9]$/.test(k) && world.label_space.classes[+k]) { setClass(+k); say(`Painting with ${world.label_space.classes[+k].name}.`) } else if (k === 'delete' || k === 'backspace') { e.preventDefault(); attempt(() => remove()) } else if (k === 'escape') { if (press) { cancel(); say('Stopped.') } else select(null) } else if (k === '[' || k === ']') { $('brush').value = brush() + (k === ']' ? 2 : -2); sized() } else if (k === '0') stage.fit()
  else if (k === '+' || k === '=') stage.zoom(1.25)
  else if (k === '-') stage.zoom(0.8)
  else if (k === '?') $('helping').showModal()
  else if (k === 'c') setView(stage.split ? 'both' : 'split')
  else if (k === ' ' && !e.target.closest('button')) { e.preventDefault(); stage.space = true }
}

function sized () { $('brushsize').value = $('brush').value }

function connect () {
  for (const [name, text, k] of TOOLS) {
    const b = make('button', { title: `${text} (${k.toUpperCase()})`, onclick: () => setTool(name) }, icon(name), make('span', { textContent: text }))
    b.dataset.tool = name
    $('tools').append(b)
  }
  addIcons()
  const click = { undo, redo, shuffle: () => attempt(shuffle), remove: () => attempt(() => remove()), duplicate: () => attempt(duplicate), deselect: () => select(null), smaller: () => stage.zoom(0.8), larger: () => stage.zoom(1.25), fit: () => stage.fit(), scenes: () => $('gallery').showModal(), save: () => $('saving').showModal(), help: () => $('helping').showModal(), open: () => $('file').click(), photo: () => $('photofile').click() }
  for (const [id, action] of Object.entries(click)) $(id).onclick = action
  for (const id of ['one', 'all']) $(id).onclick = () => { scope = id; for (const other of ['one', 'all']) $(other).setAttribute('aria-pressed', other === id); showSelection() }
  for (const b of document.querySelectorAll('[data-view]')) b.onclick = () => setView(b.dataset.view)
  for (const b of document.querySelectorAll('[data-save]')) b.onclick = () => attempt(() => { if (!scene) throw new Error('There is no scene to save yet: wait until the page has loaded.'); return SAVES[b.dataset.save]() })
  for (const [id, open] of [['file', openFile], ['photofile', usePhoto]]) $(id).onchange = e => { const file = e.target.files[0]; e.target.value = ''; if (file) attempt(() => open(file)) }
  $('brush').oninput = sized
  $('compare').oninput = () => { stage.split = Math.max(0.001, +$('compare').value / 100); stage.over() }
  $('object').onchange = e => select(e.target.value === '' ? null : +e.target.value)
  $('become').onchange = e => attempt(() => { const id = scene.setClass(selected, +e.target.value); did(id, `It is now ${id === null ? '' : nameOf(id)}.`, id) })
  $('blend').oninput = () => { $('blendshare').value = `${$('blend').value}%`; if (choice()) attempt(() => chooseStyle(restyling.k)) }
  $('keylist').append(...KEYS.flatMap(([k, what]) => [make('dt', { textContent: k }), make('dd', { textContent: what })]))
  addEventListener('keydown', keys)
  addEventListener('keyup', e => { if (e.key === ' ') stage.space = false })
  addEventListener('dragover', e => { e.preventDefault(); document.body.classList.add('drop') })
  addEventListener('dragleave', e => { if (!e.relatedTarget) document.body.classList.remove('drop') })
  addEventListener('drop', e => {
    e.preventDefault()
    document.body.classList.remove('drop')
    const file = e.dataTransfer.files[0]
    if (file) attempt(() => /\.(png|json)$/i.test(file.name) ? openFile(file) : usePhoto(file))
  })
  addEventListener('pagehide', () => scene && keep())
}

async function start () {
  stage = new Stage($('pictures'), { down, move, up, cancel, hover, key })
  connect()
  setTool('select')
  say('Loading the model…')
  const titles = await (await fetch('worlds.json')).json()
  $('world').replaceChildren(...Object.entries(titles).map(([name, title]) => make('option', { value: name, textContent: title })))
  $('world').onchange = e => { keep(); attempt(() => openNamed(e.target.value)) }
  if (matchMedia('(max-width: 860px)').matches) setView('picture')
  await openNamed($('world').value)
  if ('serviceWorker' in navigator) navigator.serviceWorker.register('sw.js').catch(() => { /* not kept for use without a network */ })
}

attempt(start)
