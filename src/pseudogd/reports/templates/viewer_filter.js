// Filters: facets with counts, ranges, search, order; and the list of what is left.
const FACETS = [
  ['task', 'Task', q => q.task, x => x],
  ['kind', 'Kind', q => q.kind, x => x],
  ['frame', 'Frame', q => frameHead(q.frame), x => x],
  ['format', 'Format', q => q.format, x => FORMATS[x] || x],
];
const chosen = Object.fromEntries(FACETS.map(([key]) => [key, new Set()]));
const range = { low: 0, high: 100, stable: 0 };
const MEASURED = ALL.some(q => typeof q.stability === 'number');
const WINDOW = 150;
let listed = [0, 0];

const words = () => $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
const filtering = () => words().length > 0 || range.low > 0 || range.high < 100 || range.stable > 0 || FACETS.some(([key]) => chosen[key].size);

function passes(q, sought, but) {
  for (const [key, , value] of FACETS) if (key !== but && chosen[key].size && !chosen[key].has(value(q))) return false;
  if (typeof q.rank === 'number' ? q.rank < range.low || q.rank > range.high : range.low > 0 || range.high < 100) return false;
  if (range.stable > 0 && !(typeof q.stability === 'number' && q.stability >= range.stable)) return false;
  return sought.every(word => q.words.includes(word));
}

const ORDERS = {
  photo: (a, b) => a.order - b.order,
  close: (a, b) => (a.rank ?? 101) - (b.rank ?? 101) || a.order - b.order,
  clear: (a, b) => (b.rank ?? -1) - (a.rank ?? -1) || a.order - b.order,
  shaky: (a, b) => (a.stability ?? 2) - (b.stability ?? 2) || a.order - b.order,
};

function buildFilters() {
  put($('facets'), FACETS.map(([key, title, value, name]) => {
    const values = [...new Set(ALL.map(value))].sort();
    if (!values.length) return null;
    return el('details', { class: 'facet', open: key === 'task' }, el('summary', null, title),
      el('fieldset', { 'aria-label': title }, values.map(v => el('label', { class: 'tick', 'data-facet': key, 'data-value': v },
        el('input', { type: 'checkbox', onchange: event => { chosen[key][event.target.checked ? 'add' : 'delete'](v); refilter(); } }),
        el('span', { dir: 'auto' }, short(name(v), 60)), el('b')))));
  }));
  const slide = (label, id, value, max, step, set) => el('label', null, label, el('input', { type: 'range', id, min: 0, max, step, value, oninput: event => { set(Number(event.target.value)); refilter(); } }));
  if (ALL.length) put($('ranges'),
    el('div', { class: 'range', role: 'group', 'aria-label': 'Margin' }, el('strong', null, 'Margin', el('output', { id: 'margin-said' })),
      slide('from', 'margin-low', 0, 100, 1, v => { range.low = v; }), slide('to', 'margin-high', 100, 100, 1, v => { range.high = v; })),
    el('div', { class: 'range', role: 'group', 'aria-label': 'Stability' }, el('strong', null, 'Stability', el('output', { id: 'stable-said' })),
      MEASURED ? slide('at least', 'stable', 0, 1, 0.05, v => { range.stable = v; }) : null));
  else for (const id of ['sort', 'search']) ($(id).closest('.row') || $(id).closest('.field')).hidden = true;
  $('search').addEventListener('input', refilter);
  $('sort').addEventListener('change', refilter);
  $('reset').addEventListener('click', () => { clearFilters(); refilter(); });
}

function clearFilters() {
  for (const [key] of FACETS) chosen[key].clear();
  Object.assign(range, { low: 0, high: 100, stable: 0 });
  for (const box of $('facets').querySelectorAll('input')) box.checked = false;
  for (const [id, value] of [['search', ''], ['margin-low', 0], ['margin-high', 100], ['stable', 0]]) if ($(id)) $(id).value = value;
}

// What is left; the question on show stays if it is among them.
function refilter(keep) {
  const sought = words();
  state.matches = ALL.filter(q => passes(q, sought)).sort(ORDERS[$('sort').value]);
  for (const [key, , value] of FACETS) {
    const counts = new Map();
    for (const q of ALL) if (passes(q, sought, key)) counts.set(value(q), (counts.get(value(q)) || 0) + 1);
    for (const tick of $('facets').querySelectorAll(`[data-facet="${key}"]`)) {
      const count = counts.get(tick.dataset.value) || 0;
      tick.querySelector('b').textContent = said(count);
      tick.classList.toggle('none', !count);
    }
  }
  if (ALL.length) sayRanges();
  $('reset').disabled = !filtering();
  $('count').textContent = ALL.length ? plural(state.matches.length, 'question') + (filtering() ? ' of ' + said(ALL.length) : '') : plural(D.photos.length, 'photo');
  listed = [0, 0];
  if (keep !== true && state.matches.length && !state.matches.includes(state.q)) show(state.matches[0].photo, state.matches[0]);
  else { showList(); showPosition(); }
}

function sayRanges() {
  const units = new Set(state.matches.map(q => q.marginUnit || q.task));
  const margins = state.matches.map(q => q.margin).filter(m => typeof m === 'number');
  const real = units.size === 1 && margins.length ? `: ${sig(Math.min(...margins))} to ${sig(Math.max(...margins))} ${[...units][0]}` : '';
  $('margin-said').textContent = range.low > 0 || range.high < 100 || real ? `rank ${range.low}–${range.high} %${real}` : 'all, by rank within its unit';
  $('stable-said').textContent = !MEASURED ? 'not measured' : range.stable > 0 ? `≥ ${range.stable.toFixed(2)}` : 'all';
}

function showList() {
  const at = Math.max(0, state.matches.indexOf(state.q));
  if (!(at >= listed[0] && at < listed[1])) {
    listed = [Math.max(0, at - WINDOW), Math.min(state.matches.length, at + WINDOW)];
    const rows = [];
    if (listed[0] > 0) rows.push(el('li', { class: 'more' }, `… ${said(listed[0])} before`));
    let last = null;
    for (const q of state.matches.slice(...listed)) {
      if (q.photo !== last && $('sort').value === 'photo') rows.push(el('li', { class: 'head', dir: 'auto' }, short(q.photo.path, 80)));
      last = q.photo;
      rows.push(el('li', null, el('button', { type: 'button', 'data-id': q.id, onclick: () => show(q.photo, q) },
        el('span', { class: 'stem', dir: 'auto' }, short(q.stem, 160)), el('small', null, `${short(q.task, 40)} · ${FORMATS[q.format] || short(q.format, 40)}`))));
    }
    if (listed[1] < state.matches.length) rows.push(el('li', { class: 'more' }, `… ${said(state.matches.length - listed[1])} more`));
    if (!ALL.length) for (const photo of D.photos) rows.push(el('li', null, el('button', { type: 'button', 'data-photo': photo.place, onclick: () => show(photo, null) }, el('span', { class: 'stem', dir: 'auto' }, short(photo.path, 160)))));
    else if (!state.matches.length) rows.push(el('li', { class: 'more' }, 'No question passes these filters.'));
    put($('list'), rows);
  }
  for (const button of $('list').querySelectorAll('button')) {
    const here = state.q ? button.dataset.id === state.q.id : button.dataset.photo === String(state.photo && state.photo.place);
    button.setAttribute('aria-current', here ? 'true' : 'false');
    if (!here) continue;
    const top = button.closest('li').offsetTop, list = $('list');  // the list alone is scrolled, not the page or the filters
    if (top < list.scrollTop) list.scrollTop = top - 30;
    else if (top + button.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + button.offsetHeight - list.clientHeight + 30;
  }
}
