// What goes into the networks and what comes out, as plain arrays.

export function padded (w, h, multiple) { // the size that the networks are given: a multiple, at least twice it
  const up = s => Math.ceil(Math.max(s, 2 * multiple) / multiple) * multiple
  return { w: up(w), h: up(h) }
}

export function inputs (ids, w, h, byId, multiple) { // label, instance and style of every pixel, edges repeated
  const to = padded(w, h, multiple), n = to.w * to.h, features = byId.values().next().value.length
  const label = new Int32Array(n), instance = new Int32Array(n), styles = new Float32Array(features * n)
  let last = null, style = null
  for (let y = 0, p = 0; y < to.h; y++) {
    for (let x = 0; x < to.w; x++, p++) {
      const id = ids[Math.min(y, h - 1) * w + Math.min(x, w - 1)]
      if (id !== last) { last = id; style = byId.get(id); if (!style) throw new Error(`Object ${id} has no style.`) }
      instance[p] = id
      label[p] = id >= 1000 ? Math.floor(id / 1000) : id
      for (let k = 0; k < features; k++) styles[k * n + p] = style[k]
    }
  }
  return { ...to, features, label, instance, styles }
}

export function picture (data, from, w, h) { // (3, H, W) in [-1, 1] to RGBA bytes of the upper left w x h
  const n = from.w * from.h, rgba = new Uint8ClampedArray(4 * w * h)
  for (let y = 0, q = 0; y < h; y++) {
    for (let x = 0; x < w; x++, q += 4) {
      const p = y * from.w + x
      rgba[q] = (data[p] + 1) * 127.5
      rgba[q + 1] = (data[p + n] + 1) * 127.5
      rgba[q + 2] = (data[p + 2 * n] + 1) * 127.5
      rgba[q + 3] = 255
    }
  }
  return rgba
}

export function photoInput (rgba, w, h, multiple) { // RGBA bytes to (3, H, W) in [-1, 1], edges repeated
  const to = padded(w, h, multiple), n = to.w * to.h, image = new Float32Array(3 * n)
  for (let y = 0, p = 0; y < to.h; y++) {
    for (let x = 0; x < to.w; x++, p++) {
      const q = 4 * (Math.min(y, h - 1) * w + Math.min(x, w - 1))
      for (let k = 0; k < 3; k++) image[k * n + p] = rgba[q + k] / 127.5 - 1
    }
  }
  return { ...to, image }
}

export function pooled (features, from, ids, w, h) { // Map of id to the mean of its pixels: instance-wise average pooling
  const n = from.w * from.h, channels = features.length / n, sums = new Map()
  for (let y = 0; y < from.h; y++) {
    for (let x = 0; x < from.w; x++) {
      const id = ids[Math.min(y, h - 1) * w + Math.min(x, w - 1)]
      let s = sums.get(id)
      if (!s) sums.set(id, s = { n: 0, v: new Array(channels).fill(0) })
      s.n++
      for (let k = 0; k < channels; k++) s.v[k] += features[k * n + y * from.w + x]
    }
  }
  return new Map([...sums].map(([id, s]) => [id, s.v.map(v => v / s.n)]))
}

export function around (o, width, height, most = Infinity) { // a square window that shows an object and a little around it, or its middle
  const margin = 8 + (Math.max(o.w, o.h) >> 3), side = Math.min(Math.max(o.w, o.h) + 2 * margin, width, height, most)
  const place = (start, length, whole) => Math.min(Math.max(0, start + (length >> 1) - (side >> 1)), whole - side)
  return { x: place(o.x, o.w, width), y: place(o.y, o.h, height), w: side, h: side }
}
