// Random numbers from a seed: the same seed gives the same numbers in every browser.
export function random (seed) { // mulberry32
  let a = (seed >>> 0) + 0x6D2B79F5
  return () => {
    a = (a + 0x6D2B79F5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export function weighted (weights, next) { // the number of a weight, as frequent as it is large
  let left = next() * weights.reduce((a, b) => a + b, 0)
  for (let k = 0; k < weights.length; k++) if ((left -= weights[k]) < 0) return k
  return weights.length - 1
}
