// The page of the preference study: shows two pictures for a time, measures it, and sends the answer.

// ---- Pictures: decoded and painted before the clock starts.

const decode = data => data && createImageBitmap(new Blob([data], {type: 'image/png'}));
function paint(canvas, picture, width, height) { // the room there is, in page pixels
  const dots = window.devicePixelRatio || 1, room = dots * Math.min(width / picture.width, height / picture.height);
  const scale = room < 1 ? room : Math.floor(room), context = canvas.getContext('2d');
  canvas.width = Math.max(1, Math.round(scale * picture.width));
  canvas.height = Math.max(1, Math.round(scale * picture.height));
  canvas.style.width = canvas.width / dots + 'px';
  context.imageSmoothingEnabled = scale < 1; context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
}

// ---- Random grey blocks that wipe out the afterimage.

function noise(canvas) {
  canvas.width = 96; canvas.height = 48;
  const context = canvas.getContext('2d'), blocks = context.createImageData(96, 48);
  for (let i = 0; i < blocks.data.length; i += 4) blocks.data.fill(48 + 160 * Math.random(), i, i + 3).fill(255, i + 3, i + 4);
  context.putImageData(blocks, 0, 0);
}

// ---- The clock: shows for a whole number of frames, and measures.

const pause = ms => new Promise(done => setTimeout(done, ms));
const nextFrame = () => new Promise(requestAnimationFrame);
async function frameLength() { // the median of nine
  const times = [await nextFrame()];
  while (times.length < 10) times.push(await nextFrame());
  return times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b)[4];
}
async function showFor(target, show, hide) { // milliseconds
  const frame = await frameLength(), start = await nextFrame();
  show();
  let now = start;
  while (now === start || now - start < target - frame / 2) now = await nextFrame();
  hide();
  return [start, now - start];
}

// ---- The page.

const side = (name, key, arrow) => `
  <button type="button" class="p2p-side" data-side="${name}" aria-disabled="true" aria-label="${name} picture, key ${key} or ${arrow}">
    <span class="p2p-frame"><canvas class="p2p-picture"></canvas><canvas class="p2p-noise"></canvas><i class="p2p-cover"></i></span>
    <span class="p2p-name" aria-hidden="true"><kbd>${arrow}</kbd> or <kbd>${key}</kbd></span></button>`;
const PAGE = `
  <section class="p2p-study" tabindex="0" role="group" aria-label="Which picture looks more real?" data-lm-suppress-shortcuts="true">
    <div class="p2p-bar"><progress aria-label="Answered"></progress><span class="p2p-count"></span></div>
    <p class="p2p-say" role="status"></p>
    <div class="p2p-stage">
      <canvas class="p2p-map" role="img" aria-label="The label map of both pictures"></canvas>
      ${side('left', 1, '←')}<b class="p2p-cross" aria-hidden="true">+</b>${side('right', 2, '→')}
    </div>
    <button type="button" class="p2p-go">Start</button>
    <div class="p2p-end" hidden><div class="p2p-told"></div>
      <button type="button" data-ask="results">Download the answers</button><button type="button" data-ask="again">Once more</button></div>
  </section>`;

// ---- Its states.

const HOW = 'Choose the picture that looks more real: click on it, or press an arrow key.';
const SAY = {
  ready: timed => HOW + (timed ? ' Each pair is shown for a moment and then covered, so keep your eyes on the cross.' : ' Take your time.'),
  cross: timed => timed ? 'Look at the cross.' : '', shown: () => '', covered: () => 'Which one looked more real?',
  free: () => 'Which one looks more real?', done: () => 'Thank you! Every pair is answered.'}
const TALL = '(max-width: 700px)';
function enter(view, state) {
  const open = state === 'covered' || state === 'free';
  view.root.dataset.state = state;
  view.say.textContent = SAY[state](view.screen.time !== null);
  view.sides.forEach(s => s.setAttribute('aria-disabled', !open));
}
function fit(view) {
  const [left, right, map] = view.pictures || [], width = view.sides[0].clientWidth - 12, height = (matchMedia(TALL).matches ? 0.3 : 0.7) * window.innerHeight;
  if (left) view.sides.forEach((s, i) => paint(s.querySelector('.p2p-picture'), [left, right][i], width, height));
  const high = left && view.sides[0].querySelector('.p2p-picture').clientHeight > window.innerHeight / 2; // then the map leaves it the room
  if (map) paint(view.map, map, width, (matchMedia(TALL).matches || high ? 0.13 : 0.2) * window.innerHeight);
  view.map.hidden = !map;
}

// ---- What a browser keeps, so that a page that is loaded again goes on.

const kept = name => { try { return JSON.parse(localStorage.getItem(name) || '[]'); } catch { return []; } };
function keep(view, screen) { // the answer that was taken
  const {sent} = view;
  view.sent = null;
  if (!sent || !screen.keep || screen.turn !== sent.turn + 1) return;
  try { localStorage.setItem(screen.keep, JSON.stringify([...kept(screen.keep).slice(0, sent.turn), sent])); } catch { /* not allowed here */ }
}

// ---- A trial, from top to bottom.

function tellEnd(view, screen) { // what came out, as text
  view.end.hidden = false; view.again.hidden = !screen.again;
  view.end.firstElementChild.replaceChildren(...(screen.end || []).map(line => Object.assign(document.createElement('p'), {textContent: line})));
}
async function ask(view, screen) {
  keep(view, screen);
  view.answer = null; view.screen = screen; clearTimeout(view.late); delete view.root.dataset.chosen;
  view.bar.max = screen.total; view.bar.value = screen.done; view.count.textContent = `${screen.done} of ${screen.total}`;
  view.map.hidden = true;
  if (!screen.left) { tellEnd(view, screen); return enter(view, 'done'); }
  view.end.hidden = true;
  view.go.textContent = screen.turn ? 'Go on' : 'Start';
  if (!view.started) return enter(view, 'ready');
  enter(view, 'cross');
  const [pictures] = await Promise.all([Promise.all([screen.left, screen.right, screen.map].map(decode)), pause(600)]);
  if (view.screen !== screen) return; // answered elsewhere meanwhile
  view.pictures = pictures; fit(view); view.noises.forEach(noise); view.away = document.hidden;
  let start, shown = null;
  if (screen.time === null) { start = await nextFrame(); enter(view, 'free'); }
  else [start, shown] = await showFor(1000 * screen.time, () => enter(view, 'shown'), () => enter(view, 'covered'));
  view.answer = (side, at) => { // the first side of a turn is the one that counts
    view.sent ||= {turn: screen.turn, side, shown: shown === null ? null : shown / 1000, reaction: Math.max(0, at - start - (shown || 0)) / 1000, interrupted: view.away};
    view.model.send(view.sent);
    return view.sent.side;
  };
}

// ---- Answers.

function choose(view, side, at) {
  if (!view.answer) return;
  view.root.dataset.chosen = view.answer(side, at);
  clearTimeout(view.late);
  view.late = setTimeout(() => view.say.textContent = 'Python has not replied: is its kernel still running?', 5000);
}
const KEYS = {ArrowLeft: 'left', 1: 'left', ArrowRight: 'right', 2: 'right'};
function press(view, e) {
  const side = KEYS[e.key];
  if (!side || e.ctrlKey || e.metaKey || e.altKey) return;
  e.preventDefault(); e.stopPropagation();
  if (!e.repeat) choose(view, side, e.timeStamp);
}

// ---- Where keys, clicks and the replies of Python come together.

function render({model, el}) {
  el.innerHTML = PAGE;
  const get = q => el.querySelector(q), all = q => [...el.querySelectorAll(q)], root = get('.p2p-study');
  const view = {model, root, say: get('.p2p-say'), bar: get('progress'), count: get('.p2p-count'), map: get('.p2p-map'), sides: all('.p2p-side'), noises: all('.p2p-noise'), end: get('.p2p-end'), go: get('.p2p-go'), again: get('[data-ask=again]')};
  const next = () => ask(view, model.get('screen')), hidden = () => { view.away ||= document.hidden; };
  const heard = (m, buffers) => {
    if (m.file) Object.assign(document.createElement('a'), {download: m.file, href: URL.createObjectURL(new Blob([buffers[0]], {type: 'text/csv'}))}).click();
    else problem(m);
  };
  all('[data-ask]').forEach(b => b.onclick = () => {
    if (b.dataset.ask === 'again') { root.focus({preventScroll: true}); try { localStorage.removeItem(model.get('screen').keep); } catch { /* not allowed here */ } }
    model.send({ask: b.dataset.ask});
  });
  const problem = m => { clearTimeout(view.late); view.sent = null; delete root.dataset.chosen; view.say.textContent = m.problem; };
  view.sides.forEach(s => s.onclick = e => choose(view, s.dataset.side, e.timeStamp));
  root.addEventListener('keydown', e => press(view, e));
  view.go.onclick = () => { view.started = true; root.focus({preventScroll: true}); next(); };
  const resized = new ResizeObserver(() => fit(view));
  resized.observe(get('.p2p-stage')); document.addEventListener('visibilitychange', hidden);
  model.on('change:screen', next); model.on('msg:custom', heard); next();
  const {keep: name, turn} = model.get('screen'), before = name && !turn ? kept(name) : [];
  if (before.length) model.send({kept: before});
  return () => { model.off('change:screen', next); model.off('msg:custom', heard); resized.disconnect(); document.removeEventListener('visibilitychange', hidden); };
}

export default {render};
