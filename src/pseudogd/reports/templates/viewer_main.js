// Moving about: what is on show, keys, address, light and dark.
function show(photo, q) {
  state.photo = photo;
  state.q = q;
  if (!layerUrl(photo, state.layer)) state.layer = photo.url || !photo.depth ? 'photo' : 'depth';
  showQuestion();
  showPicture();
  showAbove();
  showEvidence();
  showAbout();
  showList();
  showPosition();
  const here = '#' + (q ? encodeURIComponent(q.id) : 'photo=' + encodeURIComponent(photo.id ? photo.id.slice(0, 16) : photo.path));
  if (location.hash !== here) location.replace(here);
}

function showPosition() {
  const at = state.matches.indexOf(state.q);
  $('position').textContent = ALL.length ? `${at < 0 ? '–' : said(at + 1)} of ${said(state.matches.length)}` : `photo ${said(state.photo.place + 1)} of ${said(D.photos.length)}`;
  const count = ALL.length ? state.matches.length : D.photos.length;
  for (const id of ['previous', 'next']) $(id).disabled = count === 0 || (count === 1 && at === 0);
}

const wrapped = (place, count) => ((place % count) + count) % count;

function step(by) {
  if (!ALL.length) { stepPhoto(by); return; }
  if (!state.matches.length) return;
  let at = state.matches.indexOf(state.q);
  if (at < 0) {  // from an overview: the first question of this photo, or of the next that has one
    at = state.matches.findIndex(q => q.photo.place >= state.photo.place);
    at = at < 0 ? 0 : at;
    if (by < 0 && state.matches[at].photo !== state.photo) at -= 1;
  } else at += by;
  const q = state.matches[wrapped(at, state.matches.length)];
  show(q.photo, q);
}

function stepPhoto(by) {
  const left = new Set(state.matches.map(q => q.photo));
  const photos = filtering() ? D.photos.filter(photo => left.has(photo)) : D.photos;
  if (!photos.length) return;
  let at = photos.indexOf(state.photo);
  if (at < 0) { const after = photos.findIndex(photo => photo.place > state.photo.place); at = by > 0 ? (after < 0 ? 0 : after) - 1 : after < 0 ? photos.length : after; }
  const photo = photos[wrapped(at + by, photos.length)];
  show(photo, state.matches.find(q => q.photo === photo) || null);
}

function setLayer(name) {
  if (!layerUrl(state.photo, name)) return;
  state.layer = name;
  redo(showPicture, `[data-layer="${name}"]`);
}
function toggle(name) {
  state[name] = !state[name];
  redo(() => { showPicture(); showAbove(); }, `[data-toggle="${name}"]`);
}
// Draws anew, and leaves the focus on the button that was pressed.
function redo(draw, selector) {
  const focused = document.activeElement && document.activeElement.matches(selector);
  draw();
  if (focused) document.querySelector(selector)?.focus();
}

function overview() {
  if (state.q) { show(state.photo, null); return; }
  const first = state.matches.find(q => q.photo === state.photo);
  if (first) show(state.photo, first);
}

const THEMES = ['auto', 'light', 'dark'];
function theme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  $('theme').textContent = `Colors: ${name}`;
  $('theme').setAttribute('aria-label', `Colors: ${name}`);
  $('theme').dataset.name = name;
}
function nextTheme() {
  const name = THEMES[(THEMES.indexOf($('theme').dataset.name) + 1) % THEMES.length];
  theme(name);
  try { localStorage.setItem('pseudogd-theme', name); } catch { /* a page from a file may have no storage */ }
}

// The address: an id of a question, or photo=ID.
function follow() {
  let name = location.hash.slice(1);
  try { name = decodeURIComponent(name); } catch { /* taken as it is */ }
  $('missing')?.remove();
  if (name.startsWith('photo=')) {
    const photo = D.photos.find(p => (p.id && p.id.startsWith(name.slice(6))) || p.path === name.slice(6));
    if (photo && name.length > 6) { if (state.photo !== photo || state.q) show(photo, null); return true; }
  }
  const q = BY_ID.get(name);
  if (q) {
    if (state.q === q) return true;
    if (!state.matches.includes(q)) { clearFilters(); refilter(true); }
    show(q.photo, q);
    return true;
  }
  if (name && state.photo) $('main').before(el('p', { class: 'note', id: 'missing', role: 'status', dir: 'auto' }, `${short(name, 80)} is not on this page, which shows some of the photos. For that one: pseudogd view DATA --image ${short(name, 80)}`));
  return false;
}

const KEYS = {
  j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1),
  o: overview, t: nextTheme, '/': () => { openFilters(true); $('search').focus(); $('search').select(); }, '?': () => $('help').showModal(),
  e: () => toggle('evidence'), a: () => toggle('all'), m: () => toggle('masks'), n: () => toggle('names'),
};
LAYERS.forEach(([name], k) => { KEYS[k + 1] = () => setLayer(name); });
const SHIFTED = { J: () => stepPhoto(1), ArrowRight: () => stepPhoto(1), K: () => stepPhoto(-1), ArrowLeft: () => stepPhoto(-1), '?': KEYS['?'], '/': KEYS['/'] };

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  const place = event.target, typing = place.matches?.('input[type="search"], select, textarea') || (place.matches?.('input[type="range"]') && event.key.startsWith('Arrow'));
  if (typing) { if (event.key === 'Escape') place.blur(); return; }
  const act = (event.shiftKey ? SHIFTED : KEYS)[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

function openFilters(open) {
  $('filters').classList.toggle('open', open);
  $('open-filters').setAttribute('aria-expanded', String($('filters').classList.contains('open')));
}

function extras() {
  const count = pairs => Object.entries(pairs).map(([answer, n]) => `${short(answer, 20)} ${said(n)}`).join(', ');
  put($('extras'),
    D.answers.length ? el('details', null, el('summary', null, 'Answers on this page'), dl(D.answers.map(([name, pairs]) => [name, count(pairs)]))) : null,
    Object.keys(D.totals.tasks).length ? el('details', null, el('summary', null, 'Questions in the whole folder'), dl(Object.entries(D.totals.tasks).map(([task, n]) => [task, said(n)]))) : null,
    D.ledgerTotal ? el('details', { id: 'ledger' }, el('summary', null, `${plural(D.ledgerTotal, 'line')} in the failure ledger`), el('ul', null, D.ledger.map(row => el('li', { dir: 'auto' }, short(`${row.image} (${row.stage}): ${row.reason}`, 400))), D.ledgerTotal > D.ledger.length ? el('li', null, `… ${said(D.ledgerTotal - D.ledger.length)} more in failures.parquet`) : null)) : null);
}

function start() {
  const photos = D.photos.length, sampled = D.totals.questions > ALL.length || D.totals.photos > photos;
  $('summary').textContent = `${plural(ALL.length, 'question')} about ${plural(photos, 'photo')}` + (sampled ? ` (of ${said(D.totals.questions)} about ${said(D.totals.photos)})` : '');
  let stored = null;
  try { stored = localStorage.getItem('pseudogd-theme'); } catch { /* none */ }
  theme(THEMES.includes(stored) ? stored : 'auto');
  buildFilters();
  extras();
  $('previous').addEventListener('click', () => step(-1));
  $('next').addEventListener('click', () => step(1));
  $('theme').addEventListener('click', nextTheme);
  $('open-help').addEventListener('click', () => $('help').showModal());
  $('close-help').addEventListener('click', () => $('help').close());
  $('open-filters').addEventListener('click', () => openFilters(!$('filters').classList.contains('open')));
  $('skip').addEventListener('click', () => $('main').focus());
  state.photo = D.photos[0];
  refilter(true);
  const asked = location.hash.length > 1;
  if (!follow()) { const hash = location.hash; show((ALL[0] || { photo: D.photos[0] }).photo, ALL[0] || null); if (asked && hash) { location.replace(hash); follow(); } }
  addEventListener('hashchange', follow);
  new ResizeObserver(() => { drawPicture(); drawAbove(); }).observe($('main'));
}
start();
