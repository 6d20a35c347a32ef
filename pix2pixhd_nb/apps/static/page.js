// The page of the explorer and of the studio. What is done here is sent to Python as data; what Python answers is shown.
import { addIcons, icon } from './icons.js'
import { Stage } from './stage.js'

const LARGEST_FILE = 8e6, PATIENCE = 8000, ALIVE = 120000
const KEYS = [['[ and ]', 'smaller and larger brush'], ['Ctrl+Z, Ctrl+Shift+Z', 'undo, redo'], ['Delete', 'remove the selected object'], ['Escape', 'stop, select nothing'], ['C', 'compare with the first picture'],
  ['Wheel, + − 0', 'zoom, fit'], ['Space or middle button and drag', 'pan; on a touch screen two fingers'], ['Tab to a picture, then arrows', 'move the cursor, with Shift by ten'], ['Enter', 'use the tool; with the brush: begin, end'], ['Alt and arrows', 'move the selected object'], ['Alt and drag', 'drag a copy of an object']]
const FILES = [['picture', 'Picture', 'PNG'], ['scene', 'Scene', 'JSON with all steps: the apps open it again'], ['ids', 'Label map', 'class ids, PNG'], ['instances', 'Instance map', 'object ids, 16 bits'], ['colors', 'Colour map', 'for a paint program: open it here again']]

const HTML = `
<div class="bar" role="group" aria-label="Scene">
  <h2 class="title"></h2>
  <div class="group">
    <button data-do="undo" data-icon="undo" title="Undo (Ctrl+Z)">Undo</button>
    <button data-do="redo" data-icon="redo" title="Redo (Ctrl+Shift+Z)">Redo</button>
  </div>
  <div class="group">
    <button data-act="gallery" data-icon="grid" title="Scenes to begin with">Scenes</button>
    <button data-act="open" data-icon="open" title="Open a label map (PNG, ids or colours) or a saved scene (JSON)">Open</button>
    <button data-act="photo" data-icon="photo" title="Take the styles of a photo: it is cropped and scaled to the scene">Styles of a photo</button>
    <button data-act="compare" data-icon="compare" title="Compare with the first picture (C)" aria-pressed="false">Compare</button>
    <button data-act="download" class="main named" data-icon="save" title="Download the picture">Download</button>
    <button data-act="files" data-icon="more" title="Download maps or the scene">Other files</button>
    <button data-act="help" data-icon="help" title="Keys and help (?)">Help</button>
  </div>
</div>
<div class="body">
  <div class="tools" role="toolbar" aria-label="Tools"></div>
  <div class="stage" role="group" aria-label="Pictures">
    <div class="views" role="group" aria-label="What to show">
      <button data-view="both">Both</button><button data-view="picture">Picture</button><button data-view="map">Label map</button><button data-view="split">Split</button><button data-view="veil">Overlay</button>
      <span class="fill"></span>
      <button class="zoom" data-act="smaller" aria-label="Zoom out" data-icon="minus"></button><button class="zoom" data-act="fit" title="Fit to the window (0)">Fit</button><button class="zoom" data-act="larger" aria-label="Zoom in" data-icon="plus"></button>
    </div>
    <div class="pictures">
      <figure data-side="map"><figcaption>Label map</figcaption><div class="frame"><canvas class="map" tabindex="0" role="img" aria-label="Label map. Arrow keys move the cross, Enter acts."></canvas><canvas class="over" aria-hidden="true"></canvas></div></figure>
      <figure data-side="picture"><figcaption>Generated image</figcaption><div class="frame"><canvas class="picture" tabindex="0" role="img" aria-label="Generated image. Arrow keys move the cross, Enter acts."></canvas><canvas class="over" aria-hidden="true"></canvas><div class="hint" hidden><b>Click me</b></div></div></figure>
    </div>
    <div class="work" aria-hidden="true"></div>
    <label class="compare" hidden><span></span> <input type="range" min="0" max="100" value="50"></label>
    <ol class="history" aria-label="Steps of your work"></ol>
  </div>
  <div class="panel" role="group" aria-label="Classes, objects and styles">
    <section class="paint" hidden><h2>Paint with</h2><div class="palette" role="group" aria-label="Class to paint with"></div>
      <label class="row">Brush <input class="brush" type="range" min="1" max="60"><output></output></label></section>
    <section>
      <h2 class="what" aria-live="off"></h2>
      <label class="row">Object <select class="object"></select></label>
      <div class="selected" hidden>
        <div class="segments" role="group" aria-label="What a style is given to"><button data-scope="instance">This one</button><button data-scope="class">All of its class</button></div>
        <h3 class="styletitle"></h3>
        <div class="styles" role="group"></div>
        <label class="row">Blend <input class="blend" type="range" min="0" max="100" value="100"><output>100%</output></label>
        <label class="row become">Class <select></select></label>
        <div class="buttons"><button data-do="duplicate" data-icon="copy">Duplicate</button><button data-do="remove" data-icon="trash">Remove</button><button data-do="deselect">Done</button></div>
      </div>
      <div class="row shuffle"><button data-act="shuffle" class="main" data-icon="dice">Shuffle styles</button><label>Seed <input class="seed" type="number" min="0" max="2147483647" value="1"></label></div>
    </section>
  </div>
</div>
<div class="status"><p role="status" aria-live="polite"></p></div>
<div class="drop" aria-hidden="true">Drop a label map, a scene or a photo</div>
<dialog class="gallery" aria-label="Begin with a scene"><h2>Begin with a scene</h2><div class="thumbnails"></div><form method="dialog"><button>Close</button></form></dialog>
<dialog class="saving" aria-label="Download"><h2>Download</h2><ul class="files"></ul><form method="dialog"><button>Close</button></form></dialog>
<dialog class="helping" aria-label="What you can do"><h2>What you can do</h2><p class="can"></p><dl></dl><form method="dialog"><button>Close</button></form></dialog>
<input class="file" type="file" accept=".png,.json,.tif,.tiff,image/png,application/json" hidden aria-label="Label map or scene"><input class="photofile" type="file" accept="image/*" hidden aria-label="Photo">`

const make = (tag, props = {}, ...children) => { const e = Object.assign(document.createElement(tag), props); e.append(...children); return e }
const url = data => URL.createObjectURL(new Blob([data], { type: 'image/png' }))

class Page {
  constructor (model, el) {
    Object.assign(this, { model, el, view: null, press: null, ids: null, boxes: new Map(), thumbs: new Map(), space: false, sent: 0, asked: Infinity, listeners: [] })
    this.root = make('div', { className: 'studio app', innerHTML: HTML })
    this.root.dataset.lmSuppressShortcuts = 'true'
    el.append(this.root)
    this.$ = q => this.root.querySelector(q)
    addIcons(this.root)
    this.map = this.$('canvas.map'); this.picture = this.$('canvas.picture'); this.first = document.createElement('canvas')
    this.stage = new Stage(this.$('.pictures'), { down: (p, e) => this.down(p, e), move: p => this.move(p), up: (p, e) => this.up(p, e), cancel: () => this.cancel(), hover: p => this.hover(p), key: (...a) => this.key(...a), placed: () => this.placeHint() })
    this.about = model.get('about')
    this.build()
    this.wire()
    this.opened()
    this.refresh()
    this.say()
    for (const name of ['map', 'picture', 'first']) this.load(name)
    this.styles()
    this.restore()
  }

  get (name) { return this.model.get(name) }
  set (name, value) { this.model.set(name, value); this.model.save_changes() }

  send (what, args = {}, buffers = []) { // every message is answered; silence means that nobody works there any more
    this.model.send({ do: what, n: ++this.sent, ...args }, undefined, buffers)
    if (!['alive', 'keep'].includes(what)) this.asked = this.sent // by the hand: what Python says to it is shown, even if it says the same again
    this.waiting ||= setTimeout(() => { this.silent = true; this.tell('No answer from Python for eight seconds: its session may have ended. ' + (this.about.keep ? 'Your work is kept in this browser: reload the page to go on.' : 'Run the cell again to go on.'), true) }, PATIENCE)
  }

  answered () {
    clearTimeout(this.waiting)
    this.waiting = null
    if (this.get('heard') >= this.asked) { this.asked = Infinity; this.say() }
    if (this.silent) this.say()
  }

  tell (text, bad = false) {
    const p = this.$('.status p')
    p.textContent = text
    p.classList.toggle('bad', bad)
  }

  say () { this.silent = false; this.tell(this.get('message'), this.get('refused')) }

  // ---- what does not change

  build () {
    const { title, tools, actions, classes, photo, gallery, can } = this.about
    this.$('.title').textContent = title
    this.root.setAttribute('aria-label', title); this.root.setAttribute('role', 'region')
    this.root.classList.toggle('viewer', tools.length < 2)
    this.$('.tools').hidden = tools.length < 2; this.$('.become').hidden = !actions.includes('set_class')
    for (const b of this.root.querySelectorAll('[data-do]')) b.hidden = !actions.includes(b.dataset.do)
    this.$('[data-act=photo]').hidden = !photo; this.$('[data-act=gallery]').hidden = !gallery
    this.$('.tools').replaceChildren(...tools.map(({ name, word, key, tip, icon: strokes }) => {
      const b = make('button', { title: `${tip} (${key.toUpperCase()})` }, icon(strokes), make('span', { textContent: word }))
      b.dataset.tool = name
      b.onclick = () => this.setTool(name)
      return b
    }))
    const usable = new Set(this.about.palette)
    this.$('.palette').replaceChildren(...classes.flatMap(([name, color], c) => {
      if (!usable.has(c)) return []
      const swatch = make('span', { className: 'swatch' }), b = make('button', { title: name }, swatch, make('span', { textContent: name }))
      swatch.style.background = color
      b.dataset.cls = c
      b.onclick = () => { this.set('cls', c); if (!this.tool.classes) this.setTool(tools.find(t => t.classes).name) }
      return [b]
    }))
    this.$('.become select').replaceChildren(...classes.flatMap(([name], c) => usable.has(c) ? [make('option', { value: c, textContent: name })] : []))
    this.$('.files').replaceChildren(...FILES.map(([what, name, note]) => {
      const b = make('button', {}, icon('save'), make('span', { textContent: name }))
      b.dataset.save = what
      b.onclick = () => this.send('download', { what })
      return make('li', {}, b, note)
    }))
    this.$('.can').textContent = can
    this.$('dl').replaceChildren(...[...(tools.length > 1 ? [[tools.map(t => t.key.toUpperCase()).join(' '), 'tools: ' + tools.map(t => t.word).join(', ')]] : []), ...KEYS].flatMap(([k, v]) => [make('dt', { textContent: k }), make('dd', { textContent: v })]))
  }

  get tool () { return this.about.tools.find(t => t.name === this.get('tool')) ?? this.about.tools[0] }
  can (action) { return this.about.actions.includes(action) }
  knows (gesture) { return this.tool.gestures.includes(gesture) }

  wire () {
    const { model, root } = this, on = (name, f) => { model.on(name, f); this.listeners.push([name, f]) }
    on('change:about', () => { this.about = this.get('about'); this.build(); this.tools() }); on('change:size', () => this.opened()); on('change:ids', () => this.unpack()); on('change:state', () => this.refresh())
    on('change:map_png', () => this.load('map')); on('change:version', () => this.load('picture')); on('change:first_png', () => this.load('first'))
    on('change:styles', () => this.styles()); on('change:message', () => this.say()); on('change:refused', () => this.say()); on('change:heard', () => this.answered())
    on('change:busy', () => this.$('.work').classList.toggle('on', this.get('busy')))
    for (const k of ['tool', 'cls', 'brush']) on('change:' + k, () => this.tools())
    on('msg:custom', (m, buffers) => this.hear(m, buffers))
    for (const b of root.querySelectorAll('[data-do]')) b.addEventListener('click', () => this.send(b.dataset.do))
    for (const b of root.querySelectorAll('[data-view]')) b.addEventListener('click', () => this.show(b.dataset.view))
    for (const b of root.querySelectorAll('[data-scope]')) b.addEventListener('click', () => this.send('scope', { who: b.dataset.scope }))
    const acts = { gallery: () => { this.$('.gallery').showModal(); this.send('gallery') }, open: () => this.$('.file').click(), photo: () => this.$('.photofile').click(), compare: () => this.send('compare', { split: this.get('state').split ? 0 : 0.5 }),
      download: () => this.send('download', { what: 'picture' }), files: () => this.$('.saving').showModal(), help: () => this.$('.helping').showModal(), smaller: () => this.stage.zoom(0.8), larger: () => this.stage.zoom(1.25), fit: () => this.stage.fit(),
      shuffle: () => this.send('shuffle', { seed: +this.$('.seed').value || 0 }) }
    for (const b of root.querySelectorAll('[data-act]')) b.addEventListener('click', acts[b.dataset.act])
    this.acts = acts
    this.$('.seed').addEventListener('change', e => this.send('shuffle', { seed: Math.max(0, Math.round(+e.target.value) || 0) }))
    this.$('.seed').addEventListener('blur', e => { if (!this.waiting) e.target.value = this.get('state').seed })
    this.$('.object').addEventListener('change', e => e.target.value ? this.send('select', { instance: +e.target.value }) : this.send('deselect'))
    this.$('.become select').addEventListener('change', e => this.send('set_class', { cls: +e.target.value }))
    this.$('.blend').addEventListener('input', e => { this.$('.blend + output').textContent = e.target.value + '%'; this.send('blend', { share: e.target.value / 100 }) })
    this.$('.brush').addEventListener('input', e => this.set('brush', +e.target.value))
    this.$('.compare input').addEventListener('input', e => { this.splitAt(e.target.value / 100) })
    for (const [q, photo] of [['.file', false], ['.photofile', true]]) this.$(q).addEventListener('change', e => { const [file] = e.target.files; e.target.value = ''; if (file) this.upload(file, photo) })
    root.addEventListener('dragover', e => { e.preventDefault(); root.classList.add('dropping') })
    root.addEventListener('dragleave', e => { if (!root.contains(e.relatedTarget)) root.classList.remove('dropping') })
    root.addEventListener('drop', e => { e.preventDefault(); root.classList.remove('dropping'); const [file] = e.dataTransfer.files; if (file) this.upload(file, false, true) })
    this.keyed = e => this.shortcut(e); this.lifted = e => { if (e.key === ' ') this.stage.space = false }
    document.addEventListener('keydown', this.keyed); document.addEventListener('keyup', this.lifted)
    this.alive = setInterval(() => { if (!document.hidden) this.send('alive') }, ALIVE)
    this.sizes = new ResizeObserver(() => this.arrange())
    this.sizes.observe(this.$('.stage'))
    this.show(this.about.tools.length > 1 && innerWidth > 860 ? 'both' : 'picture')
  }

  close () {
    for (const l of this.listeners) this.model.off(...l)
    document.removeEventListener('keydown', this.keyed); document.removeEventListener('keyup', this.lifted)
    clearInterval(this.alive); clearTimeout(this.waiting); this.stage.close(); this.sizes.disconnect()
  }

  // ---- what Python sends

  opened () {
    const [h, w] = this.get('size')
    this.first.width = w; this.first.height = h
    this.stage.open(w, h)
    this.arrange()
    this.unpack()
  }

  async unpack () { // object ids: 32-bit numbers, compressed
    const data = this.get('ids'), stream = new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate'))
    const ids = new Int32Array(await new Response(stream).arrayBuffer())
    if (data !== this.get('ids')) return
    this.ids = ids
    this.boxes.clear()
    this.outline()
  }

  async load (name) {
    const data = this.get(name + '_png'), version = this.get('version'), depth = this.get('depth'), scene = this.get('scene_number'), picture = name === 'picture'
    if (!data?.byteLength) { if (name === 'first') this.stage.over(); return }
    const bitmap = await createImageBitmap(new Blob([data]))
    if (data !== this.get(name + '_png')) return
    const c = this[name]
    if (c.width !== bitmap.width || c.height !== bitmap.height) { c.width = bitmap.width; c.height = bitmap.height }
    c.getContext('2d').drawImage(bitmap, 0, 0)
    if (picture) { c.dataset.version = version; this.remember(depth, scene) }
    this.stage.over()
  }

  hear (m, buffers) {
    if (m.type === 'file') make('a', { download: m.name, href: URL.createObjectURL(new Blob([buffers[0]], { type: m.mime })) }).click()
    else if (m.type === 'gallery') this.gallery(m, buffers)
    else if (m.type === 'kept') { try { localStorage.setItem(this.keptKey, m.text) } catch { this.tell('This browser has no room to keep your work: download the scene.', true) } }
  }

  get keptKey () { return `pix2pixhd ${this.about.keep}` }

  restore () { // work of last time, if the page was reloaded
    if (!this.about.keep || !this.get('state').fresh) return
    let text = null
    try { text = localStorage.getItem(this.keptKey) } catch { /* not allowed here */ }
    if (text) this.send('restore', { text })
  }

  refresh () {
    const s = this.get('state'), $ = this.$, here = s.selected !== null
    if (s.scene !== this.scene) { this.scene = s.scene; this.thumbs.clear(); $('.history').replaceChildren() }
    $('[data-do=undo]').disabled = !s.undo; $('[data-do=redo]').disabled = !s.redo
    $('.what').textContent = here ? s.name : 'Whole scene'
    $('.selected').hidden = !here
    $('.object').replaceChildren(make('option', { value: '', textContent: 'none: the whole scene' }), ...s.objects.map(([id, name]) => make('option', { value: id, textContent: name, selected: id === s.selected })))
    $('[data-scope=class]').textContent = `All ${s.same} of its class`; $('[data-scope=class]').disabled = s.same < 2
    for (const b of this.root.querySelectorAll('[data-scope]')) b.setAttribute('aria-pressed', b.dataset.scope === s.scope)
    $('[data-act=shuffle] span').textContent = here ? (s.scope === 'class' ? 'Shuffle class' : 'Shuffle style') : 'Shuffle styles'
    $('.styletitle').textContent = s.n_styles ? `Styles of ${s.cls_name}` : here ? `The style book has none of ${s.cls_name}` : ''
    $('.styles').setAttribute('aria-label', `Styles of ${s.name}`)
    $('.blend').disabled = !s.blendable; $('.blend').value = Math.round(100 * s.share); $('.blend + output').textContent = Math.round(100 * s.share) + '%'
    if (here) $('.become select').value = s.cls
    $('[data-do=duplicate]').disabled = !s.thing
    if (document.activeElement !== $('.seed')) $('.seed').value = s.seed
    $('[data-act=compare]').setAttribute('aria-pressed', s.split > 0)
    this.chosen()
    if (s.split > 0 !== this.comparing) { this.comparing = s.split > 0; this.show(this.view) }
    for (const b of $('.history').querySelectorAll('button')) b.setAttribute('aria-current', +b.dataset.depth === s.depth ? 'step' : 'false')
    this.tools()
    this.outline()
    clearTimeout(this.keeping)
    if (this.about.keep && !s.fresh) this.keeping = setTimeout(() => this.send('keep'), 800)
  }

  tools () {
    const { name, classes } = this.tool, cls = this.get('cls'), brush = this.get('brush')
    this.root.dataset.tool = name
    for (const b of this.$('.tools').children) b.setAttribute('aria-pressed', b.dataset.tool === name)
    for (const b of this.$('.palette').children) { b.setAttribute('aria-pressed', +b.dataset.cls === cls); b.disabled = !!classes && !classes.includes(+b.dataset.cls) }
    this.$('.brush').value = brush; this.$('.brush + output').textContent = brush
    this.$('.brush').parentElement.hidden = !this.knows('stroke')
    this.$('.paint').hidden = !(classes || (this.get('state').selected === null && this.about.tools.some(t => t.classes))) // the selected object has the panel for itself
  }

  styles () { // the buttons stay where they are while their pictures come
    const pictures = this.get('styles'), box = this.$('.styles')
    while (box.children.length > pictures.length) box.lastChild.remove()
    pictures.forEach((data, k) => {
      const b = box.children[k] ?? box.appendChild(make('button', { onclick: () => this.send('choose', { k }) }, make('img', { alt: '' }), make('span', { className: 'picked', textContent: '✓', ariaHidden: 'true' })))
      const img = b.firstChild
      b.dataset.style = k
      b.classList.toggle('wait', !data.byteLength)
      img.hidden = !data.byteLength
      if (img.data === data) return
      if (img.src) URL.revokeObjectURL(img.src)
      img.data = data
      if (data.byteLength) img.src = url(data); else img.removeAttribute('src')
    })
    this.chosen()
  }

  chosen () {
    const s = this.get('state')
    ;[...this.$('.styles').children].forEach((b, k) => { b.setAttribute('aria-pressed', k === s.chosen); b.title = s.style_names[k] ?? ''; b.setAttribute('aria-label', `${s.style_names[k] ?? k} for ${s.name}`) })
  }

  // ---- marks

  maskOf (id) { // its box and which pixels of it belong to the object
    if (!this.ids) return null
    if (this.boxes.has(id)) return this.boxes.get(id)
    const { w: W, h: H } = this.stage, { ids } = this
    let [x0, y0, x1, y1] = [W, H, -1, -1]
    for (let p = 0; p < ids.length; p++) if (ids[p] === id) { const x = p % W, y = (p / W) | 0; if (x < x0) x0 = x; if (x > x1) x1 = x; if (y < y0) y0 = y; if (y > y1) y1 = y }
    if (x1 < 0) return null
    const w = x1 - x0 + 1, h = y1 - y0 + 1, on = new Uint8Array(w * h)
    for (let j = 0; j < h; j++) for (let i = 0; i < w; i++) on[j * w + i] = ids[(y0 + j) * W + x0 + i] === id
    const mask = { x: x0, y: y0, w, h, on }
    this.boxes.set(id, mask)
    return mask
  }

  at (p) { return this.ids?.[p.y * this.stage.w + p.x] }

  outline () {
    const { selected } = this.get('state')
    this.stage.mark({ outline: selected === null ? null : this.maskOf(selected) })
    this.placeHint()
  }

  placeHint () { // on a first visit one object asks to be clicked
    const hint = this.$('.hint'), s = this.get('state'), m = s.fresh && s.selected === null && s.hint !== null && !this.touched && this.maskOf?.(s.hint)
    hint.hidden = !m
    if (m) hint.style.transform = `translate(${this.stage.ox + this.stage.z * (m.x + m.w / 2)}px, ${this.stage.oy + this.stage.z * (m.y + m.h / 2)}px)`
  }

  show (view) {
    const one = view !== 'both' || this.comparing
    this.view = view
    for (const b of this.root.querySelectorAll('[data-view]')) b.setAttribute('aria-pressed', b.dataset.view === view)
    this.$('figure[data-side=map]').hidden = one && (this.comparing || view !== 'map')
    this.$('figure[data-side=picture]').hidden = view === 'map' && !this.comparing
    this.$('.pictures').classList.toggle('one', one)
    this.arrange()
    this.stage.veil = view === 'veil' && !this.comparing ? 0.5 : 0
    this.stage.left = this.comparing ? this.first : this.map
    this.$('.compare').hidden = !this.comparing && view !== 'split'
    this.$('.compare span').textContent = this.comparing ? 'First picture or present one' : 'Map or picture'
    this.stage.split = this.comparing ? this.get('state').split : view === 'split' ? 0.5 : 0
    this.$('.compare input').value = 100 * this.stage.split
    this.stage.resized()
  }

  arrange () { // two pictures beside or above each other, as they are larger
    const { clientWidth: W, clientHeight: H } = this.$('.pictures'), { w, h } = this.stage
    this.$('.pictures').classList.toggle('rows', innerWidth > 860 && Math.min(W / w, (H / 2 - 30) / h) > Math.min(W / 2 / w, (H - 30) / h))
  }

  splitAt (share) {
    this.stage.split = Math.min(1, Math.max(0.01, share))
    this.$('.compare input').value = 100 * this.stage.split
    this.stage.over()
  }

  // ---- pointers

  clamp ({ x, y }) { return { x: Math.min(this.stage.w - 1, Math.max(0, x)), y: Math.min(this.stage.h - 1, Math.max(0, y)) } }
  color (alpha) { return this.about.classes[this.get('cls')][1] + Math.round(255 * alpha).toString(16).padStart(2, '0') }
  stroke () { return { points: this.press.points, brush: this.get('brush'), color: this.color(0.85) } }

  down (p, e) {
    this.touched = true
    this.placeHint()
    this.press = null
    if (this.stage.split) { this.press = { line: true }; return this.move(p) }
    if (this.knows('stroke')) { this.press = { points: [[p.x, p.y]] }; return this.stage.mark({ stroke: this.stroke(), ring: null }) }
    if (!p.inside) return
    this.press = { from: p, id: this.at(p), alt: e?.altKey }
  }

  move (p) {
    const { press, stage } = this
    if (!press) return
    if (press.line) return this.splitAt((p.x + 0.5) / stage.w)
    if (press.points) {
      const last = press.points.at(-1)
      if (last[0] !== p.x || last[1] !== p.y) press.points.push([p.x, p.y])
      return stage.mark({ stroke: this.stroke() })
    }
    if (!this.knows('drag') || (press.id < 1000 && this.knows('click'))) return // what cannot be dragged is clicked, even if the hand trembles
    const dx = p.x - press.from.x, dy = p.y - press.from.y
    if (!press.by && Math.hypot(dx, dy) * stage.z < 5) return
    press.by = [dx, dy]
    press.to = p
    const m = press.id >= 1000 && this.maskOf(press.id)
    if (m) stage.mark({ ghost: { ...m, x: m.x + dx, y: m.y + dy, color: this.about.classes[Math.floor(press.id / 1000)][1] } })
  }

  up (p) {
    const { press } = this
    this.press = null
    this.stage.mark({ stroke: null, ghost: null })
    if (!press || press.line) return
    if (press.points) return this.use('stroke', press.points)
    const { from, to } = press
    if (to) this.use(press.alt && this.knows('alt_drag') ? 'alt_drag' : 'drag', [[from.x, from.y], [to.x, to.y]])
    else if (this.knows('click')) this.use('click', [[from.x, from.y]])
  }

  use (gesture, points) { this.send('use', { tool: this.tool.name, gesture, points, cls: this.get('cls'), brush: this.get('brush') }) }

  cancel () {
    this.press = null
    this.stage.mark({ stroke: null, ghost: null, ring: null })
  }

  hover (p) { this.stage.mark({ ring: this.knows('stroke') && !this.stage.split ? { ...p, brush: this.get('brush') } : null }) }

  key (at, what, step) { // the pictures by keyboard
    const p = { ...at, inside: true }, { selected } = this.get('state')
    if (what === 'shift') { if (selected >= 1000 && step && this.can('move')) this.send('move', { by: [4 * step[0], 4 * step[1]] }); return }
    if (what === 'go') {
      if (this.stage.split && step) return this.splitAt(this.stage.split + step[0] / 50)
      if (this.press) return this.move(p)
      return this.hover(p)
    }
    if (this.knows('stroke')) { if (this.press) return this.up(p); this.down(p); return this.tell('The pen is down: arrow keys, then Enter to end, Escape to stop.') }
    this.down(p)
    this.up(p)
  }

  shortcut (e) {
    const free = document.body.dataset.voila !== undefined && e.target === document.body
    if (!this.root.isConnected || !(free || this.root.contains(e.target)) || e.target.closest?.('dialog')) return
    if (e.target.matches?.('input[type=number], select')) return
    const k = e.key.toLowerCase(), ctrl = e.ctrlKey || e.metaKey, tool = this.about.tools.find(t => t.key === k)
    const brush = by => this.set('brush', Math.min(60, Math.max(1, this.get('brush') + by * Math.max(1, Math.round(this.get('brush') / 8)))))
    const act = ctrl ? { z: () => this.send(e.shiftKey ? 'redo' : 'undo'), y: () => this.send('redo') }[k]
      : e.altKey ? null : k === ' ' && !e.target.matches?.('button') ? () => { this.stage.space = true }
        : { delete: () => this.can('remove') && this.send('remove'), backspace: () => this.can('remove') && this.send('remove'), escape: () => { if (this.press) this.cancel(); else this.send('deselect') }, c: this.acts.compare, '?': this.acts.help, 0: this.acts.fit, '+': this.acts.larger, '=': this.acts.larger, '-': this.acts.smaller, '[': () => brush(-1), ']': () => brush(1) }[k] ?? (tool && (() => this.setTool(tool.name)))
    if (!act || e.defaultPrevented) return
    e.preventDefault()
    e.stopPropagation()
    act()
  }

  setTool (name) {
    this.cancel()
    this.set('tool', name)
    this.tell(this.tool.tip + '.')
  }

  // ---- files and scenes

  async upload (file, photo, dropped = false) {
    if (file.size > (photo || /^image\/(jpeg|webp|heic)/.test(file.type) ? 5e7 : LARGEST_FILE)) return this.tell(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB, and at most ${LARGEST_FILE / 1e6} MB are taken.`, true)
    this.tell(`Reading ${file.name}…`)
    photo ||= dropped && /^image\/(jpeg|webp|heic)/.test(file.type)
    if (!photo) return this.send('open', { name: file.name, dropped }, [await file.arrayBuffer()])
    const data = await this.shrunk(file).catch(() => null)
    if (!data) return this.tell(`${file.name} is no photo that can be read here: try a JPEG or PNG.`, true)
    this.send('photo', { name: file.name }, [data])
  }

  async shrunk (file) { // a photo's middle in the size of the scene: the rest need not travel
    const bitmap = await createImageBitmap(file), { w, h } = this.stage, s = Math.max(w / bitmap.width, h / bitmap.height), c = make('canvas', { width: w, height: h }), g = c.getContext('2d')
    g.imageSmoothingQuality = 'high'
    g.drawImage(bitmap, (w - bitmap.width * s) / 2, (h - bitmap.height * s) / 2, bitmap.width * s, bitmap.height * s)
    return (await new Promise(done => c.toBlob(done, 'image/png'))).arrayBuffer()
  }

  gallery ({ numbers, blank }, buffers) {
    const choose = (content, title, what, args) => make('button', { onclick: () => { this.$('.gallery').close(); this.send(what, args) } }, content, make('span', { textContent: title }))
    this.$('.thumbnails').replaceChildren(...numbers.map((n, k) => choose(make('img', { src: url(buffers[k]), alt: '' }), `Scene ${n}`, 'scene', { number: n })),
      choose(make('span', { className: 'any' }, icon('dice')), 'Surprise me', 'scene', { number: Math.floor(10000 * Math.random()) }), ...(blank ? [choose(make('span', { className: 'blank' }), 'Blank', 'blank', {})] : []))
  }

  remember (depth, scene) { // a small picture of each step, to go back to
    if (scene !== this.scene) return // a late picture of the scene before
    const c = make('canvas', { width: Math.round(76 * this.stage.w / this.stage.h), height: 76 })
    c.getContext('2d').drawImage(this.picture, 0, 0, c.width, c.height)
    for (const d of this.thumbs.keys()) if (d > this.get('state').depth + this.get('state').ahead) this.thumbs.delete(d)
    this.thumbs.set(depth, c)
    this.$('.history').replaceChildren(...[...this.thumbs].sort((a, b) => a[0] - b[0]).slice(-30).map(([k, canvas]) => {
      const b = make('button', { title: k ? `Go to step ${k}` : 'Go to the beginning', onclick: () => this.send('go', { depth: k }) }, canvas)
      b.setAttribute('aria-label', b.title)
      b.setAttribute('aria-current', k === this.get('state').depth ? 'step' : 'false')
      b.dataset.depth = k
      return make('li', {}, b)
    }))
    this.$('.history').scrollLeft = 1e6
  }
}

function render ({ model, el }) {
  const page = new Page(model, el)
  return () => page.close()
}
export default { render }
