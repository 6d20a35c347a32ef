// Label maps that come in and go out.
import { numberObjects } from './raster.js'

export const SMALLEST = 32, LARGEST = 1024 // pixels of a side

export function labelsOf (png, classes) { // class ids from a decoded PNG: of ids, or of the classes' own colours
  const { width, height, channels, values, palette } = png, n = width * height
  if (Math.min(width, height) < SMALLEST || Math.max(width, height) > LARGEST) throw new Error(`The label map is ${width}x${height}: each side has to be ${SMALLEST} to ${LARGEST} pixels.`)
  const grey = channels < 3 || isGrey(values, channels)
  const ids = grey ? Uint16Array.from({ length: n }, (_, p) => values[p * channels]) : null
  const color = p => palette ? paletteColor(palette, values[p]) : channels < 3 ? [0, 0, 0].fill(values[p * channels]) : [...values.subarray(p * channels, p * channels + 3)]
  const table = new Map(classes.map(c => [c.color.join(), c.id])), out = new Uint16Array(n), unknown = new Map()
  if (ids && !(palette ? paletteHoldsColors(palette, new Set(ids), classes) : greysAreColors(ids, channels, classes))) {
    const odd = ids.find(v => v >= classes.length)
    if (odd === undefined) return ids
    throw new Error(`The label map has id ${odd}, but this world has classes 0 to ${classes.length - 1}.`)
  }
  for (let p = 0; p < n; p++) {
    const key = color(p).join(), id = table.get(key)
    if (id === undefined) unknown.set(key, (unknown.get(key) ?? 0) + 1); else out[p] = id
  }
  if (!unknown.size) return out
  const [worst, count] = [...unknown].sort((a, b) => b[1] - a[1])[0]
  throw new Error(`The label map has ${unknown.size} colours that are no class; the most frequent is (${worst.replaceAll(',', ', ')}) with ${count} pixels, nearest to ${nearest(worst.split(',').map(Number), classes).name}. Save it without smoothing, in the colours of the palette.`)
}

const paletteColor = (palette, i) => [0, 1, 2].map(k => palette[3 * i + k] ?? 0)

function paletteHoldsColors (palette, used, classes) { // as the Python reader decides: all colours are classes', and not those of their own numbers; some are no answer
  const rows = [...used].sort((a, b) => a - b).map(i => ({ i, color: paletteColor(palette, i).join() })), of = color => classes.find(c => c.color.join() === color)
  const other = rows.find(({ i, color }) => of(color) && classes[i]?.color.join() !== color), unlisted = rows.find(({ color }) => !of(color)), say = color => `(${color.replaceAll(',', ', ')})`
  if (other && unlisted) throw new Error(`The label map has a palette in which ${other.i} has the colour ${say(other.color)} of ${of(other.color).name}, and ${unlisted.i} the colour ${say(unlisted.color)}, which is no class's, so it is open whether its numbers or its colours are meant: paint those pixels in a class's colour; or, if the numbers are the ids, save it as a grey PNG.`)
  return !!other && !unlisted
}

function greysAreColors (ids, channels, classes) { // are all greys classes' colours, and no ids?
  const greys = new Set(classes.filter(c => c.color.every(v => v === c.color[0])).map(c => c.color[0]))
  return ids.every(v => greys.has(v)) && (channels > 2 || ids.some(v => v >= classes.length))
}

const isGrey = (values, channels) => {
  for (let p = 0; p < values.length; p += channels) if (values[p] !== values[p + 1] || values[p] !== values[p + 2]) return false
  return true
}

const nearest = (rgb, classes) => classes.reduce((best, c) => far(rgb, c.color) < far(rgb, best.color) ? c : best)
const far = (a, b) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0)

export function idsOf (png, classes) { // the instance map of an uploaded label map
  return numberObjects(labelsOf(png, classes), png.width, png.height, classes.map(c => c.thing))
}

export function paintMap (scene, rgba = new Uint8ClampedArray(4 * scene.ids.length)) { // the colours of the label map, a line between objects
  const { ids, width, classes } = scene
  for (let p = 0; p < ids.length; p++) {
    const c = classes[ids[p] >= 1000 ? Math.floor(ids[p] / 1000) : ids[p]].color, edge = ids[p] >= 1000 && ((p % width && ids[p - 1] !== ids[p] && ids[p - 1] >= 1000) || (p >= width && ids[p - width] !== ids[p] && ids[p - width] >= 1000))
    for (let k = 0; k < 3; k++) rgba[4 * p + k] = edge ? c[k] * 0.5 + 110 : c[k]
    rgba[4 * p + 3] = 255
  }
  return rgba
}

export function colorsOf (scene) { // exact colours of the palette, for paint programs
  const rgba = new Uint8ClampedArray(4 * scene.ids.length)
  scene.labels.forEach((c, p) => rgba.set([...scene.classes[c].color, 255], 4 * p))
  return rgba
}

export function outlineOf (scene, id) { // [p...] of the pixels of an object that touch another
  const { ids, width, height } = scene, o = scene.objects.get(id), out = []
  if (!o) return out
  for (let y = o.y; y < o.y + o.h; y++) {
    for (let x = o.x; x < o.x + o.w; x++) {
      const p = y * width + x
      if (ids[p] === id && (!x || !y || x === width - 1 || y === height - 1 || ids[p - 1] !== id || ids[p + 1] !== id || ids[p - width] !== id || ids[p + width] !== id)) out.push(p)
    }
  }
  return out
}
