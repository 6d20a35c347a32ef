// The page's side of the worker: ask for pictures, hear of the newest alone.

export class Drawer {
  constructor (on) { // {ready, picture, style, photo, failed, busy}
    this.on = on
    this.n = 0
    this.shown = 0
  }

  open (world, gpu = true) {
    for (const w of [this.worker, this.trial]) w?.terminate()
    const { name, networks, multiple_of, check } = world
    this.world = { name, networks, multiple_of, check }
    this.gpu = gpu
    this.trial = this.last = null
    this.worker = this.begin(false, d => this.heard(d))
    this.shown = ++this.n
  }

  begin (gpu, heard) {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    worker.onerror = e => heard({ kind: 'failed', what: 'start', message: e.message || 'the worker could not be loaded' })
    worker.onmessage = ({ data }) => heard(data)
    worker.postMessage({ kind: 'start', gpu, world: this.world })
    return worker
  }

  async tryGpu (perPixel) { // WASM goes on until WebGPU has shown the same picture in less time
    this.gpu = false
    const adapter = await navigator.gpu?.requestAdapter().catch(() => null)
    if (!adapter || adapter.isFallbackAdapter || adapter.info?.isFallbackAdapter || adapter.info?.architecture === 'swiftshader') return
    const trial = this.trial = this.begin(true, d => {
      if (d.kind === 'ready' && d.perPixel < perPixel) {
        this.worker.terminate()
        this.worker = trial
        trial.onmessage = ({ data }) => this.heard(data)
        this.trial = null
        this.on.ready(d)
        if (this.last && this.shown < this.n) trial.postMessage(this.last)
      } else trial.terminate()
    })
  }

  heard (d) {
    if (d.kind === 'ready') this.on.ready(d)
    else if (d.kind === 'failed') {
      this.on.failed(d.message, d.what)
      if (d.what === 'draw' && d.n === this.n) this.on.busy(false)
    } else if (d.kind === 'photo') this.on.photo(d.styles)
    else if (d.kind === 'style') { if (d.n === this.styles) this.on.style(d) } else if (d.n > this.shown) {
      this.shown = d.n
      this.on.picture(d)
      this.on.busy(this.shown < this.n)
      if (this.gpu) this.tryGpu(d.ms / (d.w * d.h))
    }
  }

  draw (scene) {
    this.last = { kind: 'draw', n: ++this.n, ids: scene.ids, w: scene.width, h: scene.height, styles: scene.styles }
    this.on.busy(true)
    this.worker.postMessage(this.last)
    return this.n
  }

  showStyles (jobs) { // [{key, ids, w, h, styles}]: the styles of what is selected; earlier ones are forgotten
    this.styles = (this.styles ?? 0) + 1
    this.worker.postMessage({ kind: 'styles', jobs: jobs.map(j => ({ kind: 'style', n: this.styles, ...j })) })
  }

  photo (rgba, scene) { this.worker.postMessage({ kind: 'photo', rgba, ids: scene.ids, w: scene.width, h: scene.height }) }
}
