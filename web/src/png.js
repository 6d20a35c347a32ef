// PNG files of ids, exact to the bit: a canvas would turn palettes into colours and cut 16 bits to 8.
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10]
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xEDB88320 ^ (n >>> 1) : n >>> 1; return n })
export const MOST = 2 ** 22 // pixels: 2048 x 2048

function crc (bytes) {
  let c = 0xFFFFFFFF
  for (const b of bytes) c = TABLE[(c ^ b) & 255] ^ (c >>> 8)
  return (c ^ 0xFFFFFFFF) >>> 0
}

async function through (bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer())
}

export async function encodePng (values, width, height, bits = 8) { // one channel of ids, as a Uint8Array of a file
  const step = bits / 8, rows = new Uint8Array(height * (1 + width * step))
  for (let y = 0, at = 0; y < height; y++) {
    at++ // no filter
    for (let x = 0; x < width; x++) {
      const v = values[y * width + x]
      if (bits === 16) rows[at++] = v >> 8
      rows[at++] = v & 255
    }
  }
  const header = new Uint8Array(13), view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header[8] = bits
  const parts = [Uint8Array.from(SIGNATURE)]
  for (const [kind, data] of [['IHDR', header], ['IDAT', await through(rows, new CompressionStream('deflate'))], ['IEND', new Uint8Array(0)]]) {
    const chunk = new Uint8Array(12 + data.length), v = new DataView(chunk.buffer)
    v.setUint32(0, data.length)
    chunk.set([...kind].map(c => c.charCodeAt(0)), 4)
    chunk.set(data, 8)
    v.setUint32(8 + data.length, crc(chunk.subarray(4, 8 + data.length)))
    parts.push(chunk)
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer())
}

export async function decodePng (bytes) { // {width, height, channels, values, palette}: values as stored, unscaled
  if (!SIGNATURE.every((b, i) => bytes[i] === b)) throw new Error('The file is no PNG: a label map has to be a PNG, since other formats change its ids.')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), packed = []
  let at = 8, head = null, palette = null
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at), kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8)), data = bytes.subarray(at + 8, at + 8 + length)
    if (kind === 'IHDR') head = { width: view.getUint32(at + 8), height: view.getUint32(at + 12), bits: data[8], color: data[9], interlaced: data[12] }
    if (kind === 'PLTE') palette = data
    if (kind === 'IDAT') packed.push(data)
    at += 12 + length
    if (kind === 'IEND') break
  }
  if (!head || !packed.length) throw new Error('The PNG is cut off: copy or export it again.')
  const { width, height, bits, color } = head, channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[color]
  if (head.interlaced) throw new Error('The PNG is interlaced: export it again without interlacing.')
  if (width * height > MOST) throw new Error(`The picture is ${width}x${height}: the most that a browser can take here is ${MOST} pixels; scale it down.`)
  let raw
  try { raw = await through(await new Blob(packed).arrayBuffer(), new DecompressionStream('deflate')) } catch { throw new Error('The PNG is damaged: copy or export it again.') }
  const stride = Math.ceil(width * channels * bits / 8), pixel = Math.max(1, channels * bits / 8)
  if (raw.length < height * (stride + 1)) throw new Error('The PNG is cut off: copy or export it again.')
  const flat = unfilter(raw, height, stride, pixel), values = new Uint16Array(width * height * channels)
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < width * channels; i++) {
      const v = y * width * channels + i, row = y * stride
      if (bits === 16) values[v] = flat[row + 2 * i] << 8 | flat[row + 2 * i + 1]
      else if (bits === 8) values[v] = flat[row + i]
      else values[v] = flat[row + (i * bits >> 3)] >> (8 - bits - i * bits % 8) & ((1 << bits) - 1)
    }
  }
  return { width, height, channels, values, palette: color === 3 ? palette : null, bits }
}

function unfilter (raw, height, stride, pixel) {
  const out = new Uint8Array(height * stride)
  for (let y = 0; y < height; y++) {
    const kind = raw[y * (stride + 1)], from = y * (stride + 1) + 1, to = y * stride
    for (let i = 0; i < stride; i++) {
      const a = i >= pixel ? out[to + i - pixel] : 0, b = y ? out[to + i - stride] : 0, c = y && i >= pixel ? out[to + i - stride - pixel] : 0
      const p = a + b - c, pa = Math.abs(p - a), pb = Math.abs(p - b), pc = Math.abs(p - c)
      out[to + i] = raw[from + i] + [0, a, b, (a + b) >> 1, pa <= pb && pa <= pc ? a : pb <= pc ? b : c][kind]
    }
  }
  return out
}
