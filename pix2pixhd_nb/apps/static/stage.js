// The pictures of a page: shown at one zoom, touched by mouse, finger, pen and keys. The notebook apps and the studio in a browser alone both use this file.

export class Stage {
  constructor (root, on) { // on: {down, move, up, cancel, hover, key}, each told picture pixels; on.placed after zoom and pan
    Object.assign(this, { root, on, w: 1, h: 1, z: 1, ox: 0, oy: 0, fitted: true, pointers: new Map(), cursor: null, split: 0, veil: 0, left: null, marks: {} })
    this.frames = [...root.querySelectorAll('.frame')]
    this.map = root.querySelector('canvas.map')
    this.picture = root.querySelector('canvas.picture')
    for (const f of this.frames) this.listen(f)
    this.observer = new ResizeObserver(() => this.resized())
    this.observer.observe(root)
  }

  open (w, h) {
    Object.assign(this, { w, h, cursor: null, fitted: true })
    for (const c of [this.map, this.picture]) { c.width = w; c.height = h }
    this.root.style.setProperty('--aspect', `${w} / ${h}`)
    this.resized()
  }

  close () { this.observer.disconnect() }

  show (canvas, rgba, w = this.w, h = this.h) {
    canvas.getContext('2d').putImageData(new ImageData(rgba, w, h), 0, 0)
    if ((this.split || this.veil) && canvas === this.map) this.over()
  }

  // ---- view

  get shown () { return this.frames.find(f => f.clientWidth) ?? this.frames[0] }

  resized () {
    if (this.fitted) this.fit(); else this.place()
  }

  fit () {
    const f = this.shown
    this.fitted = true
    this.z = Math.max(0.05, Math.min((f.clientWidth - 8) / this.w, (f.clientHeight - 8) / this.h))
    this.ox = (f.clientWidth - this.w * this.z) / 2
    this.oy = (f.clientHeight - this.h * this.z) / 2
    this.place()
  }

  zoom (factor, x = this.shown.clientWidth / 2, y = this.shown.clientHeight / 2) { // about a point of the frame
    const z = Math.min(40, Math.max(0.2, this.z * factor))
    this.ox = x - (x - this.ox) * z / this.z
    this.oy = y - (y - this.oy) * z / this.z
    this.z = z
    this.fitted = false
    this.place()
  }

  pan (dx, dy) {
    this.ox += dx
    this.oy += dy
    this.fitted = false
    this.place()
  }

  place () {
    const f = this.shown, keep = (o, size, room) => Math.min(room - 24, Math.max(24 - size, o))
    this.ox = keep(this.ox, this.w * this.z, f.clientWidth)
    this.oy = keep(this.oy, this.h * this.z, f.clientHeight)
    for (const c of [this.map, this.picture]) c.style.transform = `translate(${this.ox}px, ${this.oy}px) scale(${this.z})`
    this.over()
    this.on.placed?.()
  }

  // ---- marks above the pictures: {outline, ring, ghost, stroke, box}

  mark (marks) {
    Object.assign(this.marks, marks)
    if (!this.pending) this.pending = requestAnimationFrame(() => { this.pending = 0; this.over() })
  }

  over () {
    const ratio = devicePixelRatio || 1
    for (const f of this.frames) {
      if (!f.clientWidth) continue
      const c = f.querySelector('.over'), g = c.getContext('2d'), w = Math.round(f.clientWidth * ratio), h = Math.round(f.clientHeight * ratio)
      if (c.width !== w || c.height !== h) { c.width = w; c.height = h; c.style.width = `${f.clientWidth}px`; c.style.height = `${f.clientHeight}px` }
      g.setTransform(1, 0, 0, 1, 0, 0)
      g.clearRect(0, 0, w, h)
      g.setTransform(ratio * this.z, 0, 0, ratio * this.z, ratio * this.ox, ratio * this.oy)
      if (this.veil && f.contains(this.picture)) this.cover(g)
      if (this.split && f.contains(this.picture)) this.compare(g)
      this.draw(g)
    }
  }

  cover (g) { // the label map over the picture, as if painted on glass
    g.imageSmoothingEnabled = false
    g.globalAlpha = this.veil
    g.drawImage(this.map, 0, 0)
    g.globalAlpha = 1
  }

  compare (g) { // the label map, or what stands in for it, on the left of a line
    const x = this.split * this.w
    g.imageSmoothingEnabled = false
    if (x >= 1) g.drawImage(this.left ?? this.map, 0, 0, x, this.h, 0, 0, x, this.h)
    this.twoTone(g, () => { g.beginPath(); g.moveTo(x, 0); g.lineTo(x, this.h) })
  }

  twoTone (g, path) {
    for (const [color, width] of [['#000', 4], ['#fff', 2]]) {
      g.lineWidth = width / this.z
      g.strokeStyle = color
      path()
      g.stroke()
    }
  }

  draw (g) {
    const { outline, ring, ghost, stroke, box } = this.marks
    g.lineCap = g.lineJoin = 'round'
    if (ghost) {
      g.fillStyle = ghost.color
      g.globalAlpha = 0.75
      for (let j = 0; j < ghost.h; j++) for (let i = 0; i < ghost.w; i++) if (ghost.on[j * ghost.w + i]) g.fillRect(ghost.x + i, ghost.y + j, 1.02, 1.02)
      g.globalAlpha = 1
    }
    if (stroke) {
      g.strokeStyle = stroke.color
      g.lineWidth = stroke.brush
      g.beginPath()
      stroke.points.forEach(([x, y], i) => i ? g.lineTo(x + 0.5, y + 0.5) : g.moveTo(x + 0.5, y + 0.5))
      if (stroke.points.length === 1) g.lineTo(stroke.points[0][0] + 0.5, stroke.points[0][1] + 0.51)
      g.stroke()
    }
    if (outline) this.twoTone(g, () => this.edge(g, outline))
    if (box) this.twoTone(g, () => { g.beginPath(); if (box.round) g.ellipse(box.x + box.w / 2, box.y + box.h / 2, box.w / 2, box.h / 2, 0, 0, 7); else g.rect(box.x, box.y, box.w, box.h) })
    if (ring) this.twoTone(g, () => { g.beginPath(); g.arc(ring.x + 0.5, ring.y + 0.5, Math.max(ring.brush / 2, 0.5), 0, 7) })
    if (this.cursor) {
      const { x, y } = this.cursor, r = 9 / this.z
      this.twoTone(g, () => { g.beginPath(); g.moveTo(x + 0.5 - r, y + 0.5); g.lineTo(x + 0.5 + r, y + 0.5); g.moveTo(x + 0.5, y + 0.5 - r); g.lineTo(x + 0.5, y + 0.5 + r) })
    }
  }

  edge (g, { x, y, w, h, on }) { // the line around a mask
    g.beginPath()
    for (let j = 0; j < h; j++) {
      for (let i = 0; i < w; i++) {
        if (!on[j * w + i]) continue
        const px = x + i, py = y + j
        if (!j || !on[(j - 1) * w + i]) { g.moveTo(px, py); g.lineTo(px + 1, py) }
        if (j === h - 1 || !on[(j + 1) * w + i]) { g.moveTo(px, py + 1); g.lineTo(px + 1, py + 1) }
        if (!i || !on[j * w + i - 1]) { g.moveTo(px, py); g.lineTo(px, py + 1) }
        if (i === w - 1 || !on[j * w + i + 1]) { g.moveTo(px + 1, py); g.lineTo(px + 1, py + 1) }
      }
    }
  }

  // ---- pointers and keys

  point (e, f) { // picture pixels, and whether they lie in the picture
    const r = f.getBoundingClientRect(), x = Math.floor((e.clientX - r.left - f.clientLeft - this.ox) / this.z), y = Math.floor((e.clientY - r.top - f.clientTop - this.oy) / this.z)
    return { x, y, inside: x >= 0 && y >= 0 && x < this.w && y < this.h }
  }

  listen (f) {
    f.addEventListener('pointerdown', e => {
      if (e.button === 2) return
      e.preventDefault()
      f.querySelector('canvas').focus({ preventScroll: true })
      f.setPointerCapture(e.pointerId)
      this.pointers.set(e.pointerId, e)
      this.cursor = null
      if (this.pointers.size === 2) { this.on.cancel(); this.panning = true } else if (this.pointers.size === 1) {
        this.panning = e.button === 1 || this.space
        if (!this.panning) this.on.down(this.point(e, f), e)
      }
    })
    f.addEventListener('pointermove', e => {
      const before = this.pointers.get(e.pointerId)
      if (!before) return this.on.hover(this.point(e, f))
      if (this.panning) this.gesture(e, before, f)
      else for (const part of e.getCoalescedEvents?.().length ? e.getCoalescedEvents() : [e]) this.on.move(this.point(part, f), part)
      this.pointers.set(e.pointerId, e)
    })
    const end = (e, cancelled) => {
      if (!this.pointers.delete(e.pointerId)) return
      if (!this.panning) { if (cancelled) this.on.cancel(); else this.on.up(this.point(e, f), e) }
      if (!this.pointers.size) this.panning = false
    }
    f.addEventListener('pointerup', e => end(e, false))
    f.addEventListener('pointercancel', e => end(e, true))
    f.addEventListener('pointerleave', () => this.mark({ ring: null, ...(this.pointers.size ? {} : { ghost: null }) }))
    f.addEventListener('wheel', e => {
      e.preventDefault()
      const r = f.getBoundingClientRect()
      this.zoom(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.002)), e.clientX - r.left, e.clientY - r.top)
    }, { passive: false })
    for (const c of f.querySelectorAll('canvas[tabindex]')) {
      c.addEventListener('keydown', e => this.keyed(e))
      c.addEventListener('blur', () => { this.cursor = null; this.mark({}) })
    }
  }

  gesture (e, before, f) { // one pointer pans; two also zoom
    const other = [...this.pointers].find(([id]) => id !== e.pointerId)?.[1]
    if (other) {
      const far = p => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY), r = f.getBoundingClientRect()
      this.zoom(far(e) / Math.max(1, far(before)), (e.clientX + other.clientX) / 2 - r.left, (e.clientY + other.clientY) / 2 - r.top)
      this.pan((e.clientX - before.clientX) / 2, (e.clientY - before.clientY) / 2)
    } else this.pan(e.clientX - before.clientX, e.clientY - before.clientY)
  }

  keyed (e) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key]
    if (e.ctrlKey || e.metaKey || (!step && e.key !== 'Enter')) return
    e.preventDefault()
    this.cursor ??= { x: this.w >> 1, y: this.h >> 1 }
    if (step && !e.altKey) {
      const by = e.shiftKey ? 10 : 1
      this.cursor = { x: Math.min(this.w - 1, Math.max(0, this.cursor.x + by * step[0])), y: Math.min(this.h - 1, Math.max(0, this.cursor.y + by * step[1])) }
    }
    this.on.key(this.cursor, e.key === 'Enter' ? 'use' : e.altKey ? 'shift' : 'go', step)
    this.mark({})
  }
}
