// The style book: for each class, vectors that its objects were seen with.
import { random, weighted } from './random.js'

export class StyleBook {
  constructor (styles) { this.styles = styles } // {class id: {centres: [[...]], counts: [...], together: [[...]]}}; how often each style was seen, in all and in each of some scenes, where that is known

  get features () { return Object.values(this.styles)[0]?.centres[0].length ?? 0 } // how many numbers a style has

  of (cls) { return this.styles[cls]?.centres ?? [] }

  any (cls, next, counts = {}) { // a random style of a class; of any class if none of it was seen
    const known = cls in this.styles ? cls : Object.keys(this.styles)[Math.floor(next() * Object.keys(this.styles).length)]
    return this.styles[known].centres[weighted(counts[known] ?? this.styles[known].counts, next)]
  }

  seenWith (next) { // of a random scene: how often each class's styles were seen there, or in the scene most like it that has the class
    const books = Object.entries(this.styles).filter(([, book]) => book.together)
    if (!books.length) return {}
    const n = books[0][1].together.length, s = Math.floor(next() * n), alike = Array(n).fill(0)
    for (const [, { together }] of books) {
      const shares = together.map(seen => { const all = total(seen); return seen.map(v => v / (all || 1)) })
      shares.forEach((share, i) => { alike[i] += share.reduce((sum, v, k) => sum + v * shares[s][k], 0) })
    }
    const likest = together => together.reduce((best, seen, i) => total(seen) && (best < 0 || alike[i] > alike[best]) ? i : best, -1)
    return Object.fromEntries(books.map(([c, { together }]) => [c, total(together[s]) ? s : likest(together)]).filter(([, i]) => i >= 0).map(([c, i]) => [c, this.styles[c].together[i]]))
  }

  sample (ids, classOf, seed) { // Map of one random style for each object; all were seen together, where that is known
    const next = random(seed), counts = this.seenWith(next)
    return new Map(ids.map(id => [id, this.any(classOf(id), next, counts)]))
  }
}

const total = numbers => numbers.reduce((a, b) => a + b, 0)
export const blend = (a, b, t) => t === 1 ? b : a.map((v, i) => v + t * (b[i] - v))
export const same = (a, b) => !!a && !!b && a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < 1e-6)
