// The page's side of the worker: ask for pictures, hear of the newest alone.

export class Drawer {
  constructor (on) { // {ready, picture, style, photo, failed, busy}
    this.on = on
    this.n = 0
    this.shown = this.styles = this.photos = 0
    this.last = this.taking = this.showing = null // what was asked for: the picture, the styles of a photo, styles to show; another worker is asked again
    this.waiting = []
  }

  open (world, gpu = true) {
    for (const w of [this.worker, this.trial]) w?.terminate()
    const { name, networks, multiple_of, check } = world
    this.world = { name, networks, multiple_of, check }
    this.gpu = gpu
    this.trial = this.last = this.taking = this.showing = this.broken = null
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
        if (this.taking) trial.postMessage(this.taking.job)
        if (this.showing?.jobs.length) trial.postMessage(this.showing)
      } else trial.terminate()
    })
  }

  heard (d) {
    if (d.kind === 'ready') this.on.ready(d)
    else if (d.kind === 'photo') {
      if (d.n !== this.taking?.job.n) return
      const { scene } = this.taking
      this.taking = null
      this.on.photo(d.styles, scene)
    } else if (d.kind === 'failed') {
      if (d.what === 'photo' && d.n !== this.taking?.job.n) return
      if (d.what === 'photo') this.taking = null
      this.on.failed(d.message, d.what)
      if (d.what === 'draw' && d.n === this.n) this.on.busy(false)
      if (d.what === 'draw' || d.what === 'start') this.broken = { n: d.what === 'draw' ? d.n : Infinity, message: d.message }
      this.settle()
    } else if (d.kind === 'style') {
      if (d.n !== this.styles) return
      this.showing.jobs = this.showing.jobs.filter(j => j.key !== d.key)
      this.on.style(d)
    } else if (d.n > this.shown) {
      this.shown = d.n
      this.on.picture(d)
      this.on.busy(this.shown < this.n)
      this.settle()
      if (this.gpu) this.tryGpu(d.ms / (d.w * d.h))
    }
  }

  get settled () { return this.last !== null && this.shown === this.n } // is the picture of the scene as it is now there?

  newest () { // a promise of that
    return new Promise((resolve, reject) => { this.waiting.push({ resolve, reject }); this.settle() })
  }

  settle () {
    if (!this.settled && !(this.broken?.n >= this.n)) return
    for (const { resolve, reject } of this.waiting.splice(0)) if (this.settled) resolve(); else reject(new Error(`There is no picture of the scene as it is now (${this.broken.message}): reload the page.`))
  }

  draw (scene) {
    this.last = { kind: 'draw', n: ++this.n, ids: scene.ids, w: scene.width, h: scene.height, styles: scene.styles }
    this.on.busy(true)
    this.worker.postMessage(this.last)
    return this.n
  }

  showStyles (jobs) { // [{key, ids, w, h, styles}]: the styles of what is selected; earlier ones are forgotten
    this.styles++
    this.showing = { kind: 'styles', jobs: jobs.map(j => ({ kind: 'style', n: this.styles, ...j })) }
    this.worker.postMessage(this.showing)
  }

  photo (rgba, scene) { // the answer comes with that scene; earlier photos are forgotten
    this.taking = { scene, job: { kind: 'photo', n: ++this.photos, rgba, ids: scene.ids.slice(), w: scene.width, h: scene.height } }
    this.worker.postMessage(this.taking.job)
  }
}
