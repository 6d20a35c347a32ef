// The style book: for each class, vectors that its objects were seen with.
import { random, weighted } from './random.js'

export class StyleBook {
  constructor (styles) { this.styles = styles } // {class id: {centres: [[...]], counts: [...]}}

  of (cls) { return this.styles[cls]?.centres ?? [] }

  any (cls, next) { // a random style of a class; of any class if none of it was seen
    const book = this.styles[cls] ?? Object.values(this.styles)[Math.floor(next() * Object.keys(this.styles).length)]
    return book.centres[weighted(book.counts, next)]
  }

  sample (ids, classOf, seed) { // Map of one random style for each object
    const next = random(seed)
    return new Map(ids.map(id => [id, this.any(classOf(id), next)]))
  }
}

export const blend = (a, b, t) => t === 1 ? b : a.map((v, i) => v + t * (b[i] - v))
export const same = (a, b) => !!a && !!b && a.every((v, i) => Math.abs(v - b[i]) < 1e-6)
