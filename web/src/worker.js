// The networks, off the page's own thread. The newest picture goes first; styles are shown when nothing else is to do.
import { inputs, photoInput, picture, pooled } from './network.js'

let world, ort, generator, encoder, where
const waiting = { draw: null, photo: null, styles: [] }
let busy = false

const bytes = async which => new Uint8Array(await (await fetch(new URL(`./worlds/${world.name}/${world.networks[which]}`, import.meta.url))).arrayBuffer())

async function load (gpu) { // program and model come at the same time
  const data = bytes('generator')
  ort = await import(gpu ? './ort/ort.webgpu.min.mjs' : './ort/ort.wasm.min.mjs')
  ort.env.wasm.wasmPaths = new URL('./ort/', import.meta.url).href
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1)) : 1
  generator = await session(await data, gpu ? 'webgpu' : 'wasm')
}

const session = (data, provider) => ort.InferenceSession.create(data, { executionProviders: [provider], graphOptimizationLevel: 'all' })

async function start (options) {
  world = options.world
  where = options.gpu ? 'WebGPU' : 'WASM'
  await load(options.gpu)
  const perPixel = options.gpu ? await agrees() : null
  postMessage({ kind: 'ready', where, threads: options.gpu ? 0 : ort.env.wasm.numThreads, perPixel })
}

async function agrees () { // does a small picture equal PyTorch's? The milliseconds that a pixel of it took, the second time
  const { ids, width, height, styles, rgb } = world.check
  const got = await generate(ids, width, height, styles)
  if (rgb.some((v, i) => Math.abs(v - got[4 * Math.floor(i / 3) + i % 3]) > 2)) throw new Error('this WebGPU gives another picture')
  const began = performance.now()
  await generate(ids, width, height, styles)
  return (performance.now() - began) / (width * height)
}

async function generate (ids, w, h, styles) {
  const x = inputs(ids, w, h, styles, world.multiple_of), shape = [1, 1, x.h, x.w]
  const out = await generator.run({
    label: new ort.Tensor('int32', x.label, shape), instance: new ort.Tensor('int32', x.instance, shape), styles: new ort.Tensor('float32', x.styles, [1, x.features, x.h, x.w])
  })
  const data = await out.image.getData()
  out.image.dispose?.()
  return picture(data, x, w, h)
}

async function encode ({ rgba, ids, w, h }) {
  encoder ??= await session(await bytes('encoder'), where === 'WebGPU' ? 'webgpu' : 'wasm')
  const x = photoInput(rgba, w, h, world.multiple_of)
  const out = await encoder.run({ image: new ort.Tensor('float32', x.image, [1, 3, x.h, x.w]) })
  return pooled(await out.features.getData(), x, ids, w, h)
}

async function next () {
  if (busy) return
  busy = true
  for (;;) {
    const job = waiting.draw ?? waiting.photo ?? waiting.styles[0]
    if (!job) break
    if (job === waiting.draw) waiting.draw = null
    else if (job === waiting.photo) waiting.photo = null
    else waiting.styles.shift()
    const began = performance.now()
    try {
      if (job.kind === 'photo') postMessage({ kind: 'photo', n: job.n, styles: await encode(job) })
      else {
        const rgba = await generate(job.ids, job.w, job.h, job.styles)
        postMessage({ kind: job.kind, n: job.n, key: job.key, w: job.w, h: job.h, rgba, ms: performance.now() - began }, [rgba.buffer])
      }
    } catch (e) { postMessage({ kind: 'failed', n: job.n, what: job.kind, message: e.message }) }
    await new Promise(resolve => setTimeout(resolve)) // let newer wishes in
  }
  busy = false
}

self.onmessage = async ({ data }) => {
  if (data.kind === 'start') {
    busy = true
    try { await start(data) } catch (e) { postMessage({ kind: 'failed', what: 'start', message: e.message }); return }
    busy = false
  } else if (data.kind === 'styles') waiting.styles = data.jobs
  else waiting[data.kind] = data
  next()
}
