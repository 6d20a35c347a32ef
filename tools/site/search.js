// Search of whole words: names of the library first, then the sections of pages, the best of each page.
(() => {
'use strict';

const SPELLING = new Map([['color', 'colour'], ['colors', 'colour'], ['gray', 'grey'], ['normalization', 'normalisation'], ['normalize', 'normalise']]);
const PREFIX_LENGTH = 4, PREFIX_WEIGHT = 0.3, K = 1.5;

// "PatchDiscriminators" is read as patch, discriminator; "instance_maps" as instance, map
function words(text) {
  const apart = text.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2').toLowerCase();
  return (apart.match(/[\p{L}\p{N}]+/gu) || []).map(stem);
}
function stem(word) {
  word = SPELLING.get(word) || word;
  return word.length > 3 && word.endsWith('s') && !/(ss|us|is)$/.test(word) ? word.slice(0, -1) : word;
}

// Whether the words stand side by side in that order
function phrase(inside, query) {
  if (query.length < 2) return false;
  for (let i = 0; i + query.length <= inside.length; i++) if (query.every((w, k) => inside[i + k] === w || (k === query.length - 1 && begins(inside[i + k], w)))) return true;
  return false;
}
const begins = (word, start) => start.length >= PREFIX_LENGTH && word.startsWith(start);

function counted(list) {
  const counts = new Map();
  for (const w of list) counts.set(w, (counts.get(w) || 0) + 1);
  return counts;
}

class Search {
  constructor({pages, sections, names}) {
    this.pages = pages;
    this.titles = pages.map(([title]) => words(title));
    this.names = names.map(([name, module, href, line]) => ({name, module, href, line, words: words(name)}));
    this.sections = sections.map(([page, heading, place, text]) => {
      const inText = words(text);
      return {page, heading, place, text, inHeading: words(heading), inText, counts: counted(inText)};
    });
    this.spread = new Map(); // in how many sections a word stands
    for (const s of this.sections) for (const w of new Set([...s.counts.keys(), ...s.inHeading])) this.spread.set(w, (this.spread.get(w) || 0) + 1);
    this.vocabulary = [...this.spread.keys()];
  }

  // The words of the index that a word of the query stands for, each with its weight
  meant(word) {
    const found = new Map([[word, 1]]);
    for (const w of this.vocabulary) if (w !== word && begins(w, word)) found.set(w, PREFIX_WEIGHT);
    return found;
  }

  rarity(word) { return Math.log(1 + this.sections.length / (1 + (this.spread.get(word) || 0))); }

  score(section, query, meant) {
    let score = 0, missing = 0;
    for (const word of query) {
      let best = 0;
      for (const [w, weight] of meant.get(word)) {
        const n = section.counts.get(w) || 0;
        const part = n / (n + K) + (section.inHeading.includes(w) ? 2 : 0) + (this.titles[section.page].includes(w) ? 1.5 : 0);
        best = Math.max(best, weight * this.rarity(w) * part);
      }
      if (!best) missing += 1;
      score += best;
    }
    if (missing) return {score: score * 0.2 ** missing, missing};
    for (const [list, bonus] of [[section.inText, 1], [section.inHeading, 2], [this.titles[section.page], 2]]) if (phrase(list, query)) score *= 1 + bonus;
    return {score, missing};
  }

  findNames(text, query) {
    const joined = query.join(''), found = [];
    for (const n of this.names) {
      const whole = query.every(w => n.words.includes(w)), started = whole || query.every(w => n.words.some(x => x === w || begins(x, w)));
      if (!started) continue;
      const exact = n.name.toLowerCase() === text.toLowerCase() || n.words.join('') === joined;
      found.push({...n, score: (exact ? 100 : whole ? 10 : 1) + query.length / n.words.length});
    }
    return found.sort((a, b) => b.score - a.score || a.name.length - b.name.length);
  }

  // Up to `limit` results, names first: {title, section, href, text, name}
  find(text, limit = 16) {
    const query = words(text.trim());
    if (!query.length) return [];
    const names = this.findNames(text.trim(), query).slice(0, 5)
      .map(n => ({name: true, title: n.name, section: n.module, href: n.href, text: n.line}));
    const meant = new Map(query.map(w => [w, this.meant(w)])), best = new Map();
    for (const s of this.sections) {
      const {score, missing} = this.score(s, query, meant);
      const known = best.get(s.page);
      if (score > 0 && missing < query.length && (!known || score > known.score)) best.set(s.page, {...s, score, missing});
    }
    let pages = [...best.values()].sort((a, b) => b.score - a.score);
    if (pages.some(p => !p.missing)) pages = pages.filter(p => !p.missing);
    return [...names, ...pages.map(s => ({title: this.pages[s.page][0], section: s.heading, text: s.text,
      href: this.pages[s.page][1] + (s.place ? '#' + s.place : '')}))].slice(0, limit);
  }
}

if (typeof module !== 'undefined') { module.exports = {Search, words}; return; }

// ---- on the page

const box = document.querySelector('.site-search'), input = box && box.querySelector('input'), list = box && box.querySelector('.site-search-results');
if (!box) return;
const top = document.querySelector('meta[name="smalldocs:offset"]').content;
let search = null, loading = null, active = -1;

function load() {
  loading ||= new Promise((done, failed) => {
    const script = document.createElement('script');
    script.src = top + 'search_index.js';
    script.onload = () => { search = new Search(window.SITE_INDEX); done(); };
    script.onerror = failed;
    document.head.append(script);
  });
  return loading;
}

// A piece of the text around the first word that was asked for, with all of them marked
function snippet(text, query) {
  const parts = text.split(/([\p{L}\p{N}]+)/u), hit = w => { const s = stem(w.toLowerCase()); return query.some(q => s === q || begins(s, q)); };
  const first = Math.max(0, parts.findIndex((p, i) => i % 2 && hit(p))), start = Math.max(0, first - 16), p = document.createElement('div');
  p.className = 'site-search-text';
  if (start) p.append('... ');
  parts.slice(start, start + 60).forEach((part, i) => {
    if ((i + start) % 2 && hit(part)) { const mark = document.createElement('mark'); mark.textContent = part; p.append(mark); } else p.append(part);
  });
  return p;
}

function line(className, text) {
  const div = document.createElement('div');
  div.className = className; div.textContent = text;
  return div;
}

async function show() {
  const text = input.value.trim();
  if (text.length < 2) { list.classList.remove('show'); return; }
  try { await load(); } catch { list.replaceChildren(line('site-search-none', 'The index of the search could not be loaded.')); list.classList.add('show'); return; }
  const query = words(text), found = search.find(text);
  active = -1;
  list.replaceChildren(...found.map(r => {
    const a = document.createElement('a');
    a.href = top + r.href; a.className = 'site-search-result' + (r.name ? ' is-name' : '');
    a.append(line('site-search-title', r.title));
    if (r.section) a.append(line('site-search-section', r.section));
    a.append(snippet(r.text, query));
    return a;
  }));
  if (!found.length) list.append(line('site-search-none', 'Nothing found.'));
  list.classList.add('show');
}

function move(by) {
  const results = [...list.querySelectorAll('a')];
  if (!results.length) return;
  active = (active + by + results.length) % results.length;
  results.forEach((r, i) => r.classList.toggle('active', i === active));
  results[active].scrollIntoView({block: 'nearest'});
}

let timer = null;
input.addEventListener('focus', load);
input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(show, 80); });
input.addEventListener('keydown', event => {
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { event.preventDefault(); move(event.key === 'ArrowDown' ? 1 : -1); }
  else if (event.key === 'Enter') { event.preventDefault(); const results = list.querySelectorAll('a'); (results[Math.max(0, active)] || {click() {}}).click(); }
  else if (event.key === 'Escape') { list.classList.remove('show'); input.blur(); }
});
document.addEventListener('click', event => { if (!box.contains(event.target)) list.classList.remove('show'); });
document.addEventListener('keydown', event => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName) || document.activeElement.isContentEditable;
  if ((event.key === '/' && !typing) || (event.key === 'k' && (event.ctrlKey || event.metaKey))) { event.preventDefault(); input.focus(); }
});
})();
