// Pixels of strokes, regions and shapes. A mask is {x, y, w, h, on: Uint8Array of w * h}, a window of the picture.
import { MOST } from './png.js'

const clip = (x0, y0, x1, y1, width, height) => {
  const x = Math.max(0, x0), y = Math.max(0, y0)
  return { x, y, w: Math.max(0, Math.min(width, x1) - x), h: Math.max(0, Math.min(height, y1) - y) }
}

export function strokeMask (points, brush, width, height) { // points [[x, y]...], brush: diameter in pixels
  const r = Math.max(brush, 1) / 2, xs = points.map(p => p[0]), ys = points.map(p => p[1])
  const box = clip(Math.floor(Math.min(...xs) - r), Math.floor(Math.min(...ys) - r), Math.ceil(Math.max(...xs) + r) + 1, Math.ceil(Math.max(...ys) + r) + 1, width, height)
  const mask = { ...box, on: new Uint8Array(box.w * box.h) }
  if (!mask.on.length) throw new Error(`The stroke is outside the picture, which is ${width} wide and ${height} high.`)
  const segments = points.length > 1 ? points.slice(1).map((p, i) => [points[i], p]) : [[points[0], points[0]]]
  for (const [a, b] of segments) {
    const dx = b[0] - a[0], dy = b[1] - a[1], length = Math.max(dx * dx + dy * dy, 1e-9)
    const part = clip(Math.floor(Math.min(a[0], b[0]) - r), Math.floor(Math.min(a[1], b[1]) - r), Math.ceil(Math.max(a[0], b[0]) + r) + 1, Math.ceil(Math.max(a[1], b[1]) + r) + 1, width, height)
    for (let y = part.y; y < part.y + part.h; y++) {
      for (let x = part.x; x < part.x + part.w; x++) {
        const t = Math.min(1, Math.max(0, ((x - a[0]) * dx + (y - a[1]) * dy) / length))
        if ((x - a[0] - t * dx) ** 2 + (y - a[1] - t * dy) ** 2 <= r * r + 1e-9) mask.on[(y - mask.y) * mask.w + x - mask.x] = 1
      }
    }
  }
  return mask
}

export function boxMask (a, b, width, height, round = false) { // a rectangle or an ellipse between two corners
  const box = clip(Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]) + 1, Math.max(a[1], b[1]) + 1, width, height)
  const on = new Uint8Array(box.w * box.h).fill(1)
  const cx = (a[0] + b[0]) / 2, cy = (a[1] + b[1]) / 2, rx = Math.abs(a[0] - b[0]) / 2 + 0.5, ry = Math.abs(a[1] - b[1]) / 2 + 0.5
  if (round) for (let i = 0; i < on.length; i++) on[i] = ((box.x + i % box.w - cx) / rx) ** 2 + ((box.y + Math.floor(i / box.w) - cy) / ry) ** 2 <= 1
  return { ...box, on }
}

export function region (values, width, height, x, y, corners = false) { // the connected pixels of one value around a point
  const wanted = values[y * width + x], seen = new Uint8Array(width * height), stack = [y * width + x]
  let x0 = x, x1 = x, y0 = y, y1 = y
  seen[stack[0]] = 1
  const steps = corners ? [[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [1, -1], [-1, 1], [-1, -1]] : [[1, 0], [-1, 0], [0, 1], [0, -1]]
  while (stack.length) {
    const p = stack.pop(), px = p % width, py = (p - px) / width
    if (px < x0) x0 = px; if (px > x1) x1 = px; if (py < y0) y0 = py; if (py > y1) y1 = py
    for (const [dx, dy] of steps) {
      const qx = px + dx, qy = py + dy, q = qy * width + qx
      if (qx >= 0 && qy >= 0 && qx < width && qy < height && !seen[q] && values[q] === wanted) { seen[q] = 1; stack.push(q) }
    }
  }
  const w = x1 - x0 + 1, h = y1 - y0 + 1, on = new Uint8Array(w * h)
  for (let j = 0; j < h; j++) on.set(seen.subarray((y0 + j) * width + x0, (y0 + j) * width + x0 + w), j * w)
  return { x: x0, y: y0, w, h, on }
}

export function numberObjects (labels, width, height, things) { // instance map: class * 1000 + k for things, the class for stuff
  const ids = new Int32Array(labels.length).fill(-1), found = {}
  for (let p = 0; p < ids.length; p++) {
    if (ids[p] >= 0) continue
    const c = labels[p]
    if (!things[c]) { ids[p] = c; continue }
    found[c] = found[c] ?? (c === 0 ? things.length : 0)
    const id = c * 1000 + Math.min(found[c]++, 999), part = region(labels, width, height, p % width, Math.floor(p / width), true)
    for (let j = 0; j < part.h; j++) for (let i = 0; i < part.w; i++) if (part.on[j * part.w + i]) ids[(part.y + j) * width + part.x + i] = id
  }
  return ids
}

export function fillFromNearest (values, w, h, known, wanted) { // values, with those wanted taken from the nearest known pixel
  const up = new Int32Array(w * h).fill(-1), out = values.slice() // the row of the nearest known pixel of each column
  for (let x = 0; x < w; x++) {
    for (let y = 0, last = -1; y < h; y++) { if (known[y * w + x]) last = y; up[y * w + x] = last }
    for (let y = h - 1, last = -1; y >= 0; y--) {
      if (known[y * w + x]) last = y
      const p = y * w + x
      if (last >= 0 && (up[p] < 0 || last - y < y - up[p])) up[p] = last
    }
  }
  for (let p = 0; p < w * h; p++) {
    if (!wanted[p]) continue
    const x = p % w, y = (p - x) / w
    let best = Infinity, from = p
    for (let d = 0; d < w && d * d < best; d++) {
      for (const i of d ? [x - d, x + d] : [x]) {
        if (i < 0 || i >= w || up[y * w + i] < 0) continue
        const far = d * d + (up[y * w + i] - y) ** 2
        if (far < best) { best = far; from = up[y * w + i] * w + i }
      }
    }
    out[p] = values[from]
  }
  return out
}

export function scaled (mask, w, h, toW, toH) { // a mask at another size, nearest pixels
  const out = new Uint8Array(toW * toH)
  for (let y = 0; y < toH; y++) for (let x = 0; x < toW; x++) out[y * toW + x] = mask[Math.floor((y + 0.5) * h / toH) * w + Math.floor((x + 0.5) * w / toW)]
  return out
}

export function runs (values, w, h) { // plain lists, as the Python editor writes them
  const ids = [], lengths = []
  for (let p = 0; p < values.length; p++) {
    if (p && values[p] === values[p - 1]) lengths[lengths.length - 1]++
    else { ids.push(values[p]); lengths.push(1) }
  }
  return { size: [h, w], ids, lengths }
}

export const isWhole = (v, low, high) => Number.isInteger(v) && v >= low && v <= high

export function sizeOf (d) { // [h, w] that a map as runs claims, if its runs are as long
  const { size, ids, lengths } = d
  if (!Array.isArray(size) || size.length !== 2 || !size.every(s => isWhole(s, 1, MOST)) || size[0] * size[1] > MOST) throw new Error(`a map is of the size ${JSON.stringify(size)}`)
  if (!Array.isArray(ids) || !Array.isArray(lengths) || ids.length !== lengths.length || !ids.every(i => isWhole(i, -(2 ** 31), 2 ** 31 - 1)) || !lengths.every(n => isWhole(n, 0, MOST))) throw new Error('the runs of a map are no ids and lengths')
  const n = lengths.reduce((a, b) => a + b, 0)
  if (n !== size[0] * size[1]) throw new Error(`a map of ${n} pixels is given for the size ${size[1]}x${size[0]}`)
  return size
}

export function unruns (d) { // {w, h, values: Int32Array}
  const [h, w] = sizeOf(d), values = new Int32Array(h * w)
  let p = 0
  d.ids.forEach((id, k) => values.fill(id, p, p += d.lengths[k]))
  return { w, h, values }
}
