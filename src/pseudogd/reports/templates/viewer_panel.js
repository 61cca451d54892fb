// The panels in words: the photo with its layers, the question, its evidence.
const dl = rows => el('dl', { class: 'facts' }, rows.filter(row => row && row[1] !== undefined && row[1] !== null && row[1] !== '').map(([name, ...value]) => [el('dt', { dir: 'auto' }, short(String(name), 60)), el('dd', { dir: 'auto' }, value)]));
const dot = (photo, k) => k !== null && k !== undefined && photo.objects[k] ? el('span', { class: 'dot', colour: photo.objects[k].colour }) : null;

function showPicture() {
  const photo = state.photo, [width, height] = photo.size, url = layerUrl(photo, state.layer);
  const label = LAYERS.find(([name]) => name === state.layer)[1];
  const alt = state.layer === 'photo' ? `Photo ${short(photo.path, 200)}` : `${label} of ${short(photo.path, 200)}`;
  const drawn = state.q ? `Evidence: ${(state.q.operands || []).map(o => `${short(o[2], 60)} (${o[1]})`).join(', ') || 'marked points'}` : `Objects: ${photo.objects.map(o => short(o.name, 60)).join(', ') || 'none'}`;
  const shot = el('div', { class: 'shot', id: 'shot' },
    url ? el('img', { src: url, alt, class: state.layer === 'photo' || state.layer === 'normals' ? null : 'map' }) : el('div', { class: 'gone' }, photo.missing || 'no picture'),
    sv('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': drawn }));
  shot.style.aspectRatio = `${width} / ${height}`;
  shot.style.maxWidth = `calc(66vh * ${(width / height).toFixed(4)})`;
  shot.addEventListener('pointermove', readOut);
  shot.addEventListener('pointerleave', () => put($('readout'), 'Point at the picture to read depth and object.'));
  put($('picture'),
    el('div', { class: 'title' },
      el('button', { type: 'button', 'aria-label': 'Previous photo', title: 'Previous photo (Shift+k, Shift+←)', onclick: () => stepPhoto(-1) }, '‹'),
      el('h2', { dir: 'auto', title: short(photo.path, 500) }, short(photo.path, 200)),
      el('span', { class: 'soft' }, `photo ${said(photo.place + 1)} of ${said(D.photos.length)}`),
      el('button', { type: 'button', 'aria-label': 'Next photo', title: 'Next photo (Shift+j, Shift+→)', onclick: () => stepPhoto(1) }, '›')),
    shot,
    legend(photo),
    el('p', { class: 'readout', id: 'readout' }, photo.depth ? 'Point at the picture to read depth and object.' : ''),
    photo.failed ? null : el('div', { class: 'layers', role: 'group', 'aria-label': 'What the picture shows' }, LAYERS.map(([name, title], k) => layerUrl(photo, name) ? el('button', { type: 'button', 'data-layer': name, 'aria-pressed': name === state.layer ? 'true' : 'false', title: `${title} (${k + 1})`, onclick: () => setLayer(name) }, el('img', { src: layerUrl(photo, name), alt: '' }), title) : null)),
    photo.failed ? null : el('div', { class: 'toggles', role: 'group', 'aria-label': 'What is drawn on it' }, TOGGLES.map(([name, title, key]) => el('button', { type: 'button', 'data-toggle': name, 'aria-pressed': state[name] ? 'true' : 'false', title: `${title} (${key})`, onclick: () => toggle(name) }, title))));
  if (photo.depth) steps(photo, 'depth');
  if (photo.confidence) steps(photo, 'confidence');
  drawPicture();
}

function legend(photo) {
  if (state.layer === 'photo') return null;
  if (state.layer === 'normals') return el('div', { class: 'legend' }, 'Surface normals in camera axes:', [['#ff8080', 'faces right'], ['#80ff80', 'faces up'], ['#8080ff', 'faces the camera'], ['#cdcfd4', 'unknown']].map(([colour, words]) => [el('span', { class: 'swatch', colour }), words]));
  const depth = state.layer === 'depth' ? photo.depth : null;
  const bar = el('div', { class: 'bar', colour: `linear-gradient(90deg, ${D.legend[state.layer].join(', ')})` });
  const ticks = depth ? depth.ticks : [[0.02, '0'], [0.5, '0.5'], [0.98, '1']];
  const unit = !depth ? `Confidence of the teacher, mean ${photo.confidence.mean}` : depth.unit === 'm' ? `Depth in meters, ${depth.near.toFixed(2)} m to ${depth.far.toFixed(2)} m (2–98 %)` : depth.unit === 'relative' ? 'Depth, relative: right up to one factor' : 'Relative depth: only the order is known';
  const rest = depth ? [depth.unknown > 0 ? ` · ${(100 * depth.unknown).toFixed(0)} % unknown (grey)` : '', depth.sky > 0 ? ` · ${(100 * depth.sky).toFixed(0)} % sky (dark)` : ''] : [];
  return el('div', { class: 'legend' }, bar,
    ticks.length ? el('div', { class: 'ticks', 'aria-hidden': 'true' }, ticks.map(([place, words]) => { const mark = el('span', null, depth && depth.unit === 'm' ? words + ' m' : words); mark.style.left = `${100 * place}%`; return mark; })) : el('div', { class: 'ends' }, el('span', null, 'near'), el('span', null, 'far')),
    unit, rest);
}

function showAbove() {
  const photo = state.photo;
  if (!photo.plan) { put($('above'), photo.failed ? null : el('p', { class: 'caption' }, 'No view from above: it needs a focal length and depth that is right up to a factor.')); return; }
  const names = shownObjects().map(k => short(photo.objects[k].name, 60)).join(', ');
  put($('above'), sv('svg', { class: 'plan', id: 'plan', viewBox: `0 0 ${D.plan} ${D.plan}`, role: 'img', 'aria-label': `The scene from above with the camera at the lower end${names ? ': ' + names : ''}` }),
    el('p', { class: 'caption' }, 'From above: the camera looks up the page, its field of view is shaded; rectangles are footprints of what is seen.'));
  drawAbove();
}

function showQuestion() {
  const photo = state.photo, q = state.q;
  if (!q) {
    const why = photo.failed ? 'This photo could not be processed.' : !D.stages.includes('questions') ? 'Questions have not been made yet (pseudogd synth).' : photo.questions.length ? 'Overview of the photo; j or k goes back to its questions.' : 'No question on this page about this photo.';
    put($('question'), el('p', { class: 'stem' }, why), photo.reasons.length ? el('ul', null, photo.reasons.map(reason => el('li', { dir: 'auto' }, short(reason, 600)))) : null);
    return;
  }
  put($('question'),
    el('div', { class: 'badges' }, [q.task, q.kind, FORMATS[q.format] || q.format, `frame: ${short(q.frameWords, 90)}`].map(words => el('span', { dir: 'auto' }, short(words, 100)))),
    el('p', { class: 'stem', dir: 'auto' }, q.stem),
    q.options ? el('ol', { class: 'options' }, q.options.map((option, k) => el('li', { class: k === q.right ? 'truth' : null }, el('b', null, 'ABCDEFGH'[k] || k + 1), el('span', { dir: 'auto' }, option), k === q.right ? el('span', null, '✓', el('span', { class: 'skip' }, ' right answer')) : null)))
      : el('p', { class: 'answer truth', dir: 'auto' }, q.answer),
    q.reply ? el('p', { class: 'answer', dir: 'auto' }, q.reply) : null);
}

function showEvidence() {
  const photo = state.photo, q = state.q;
  if (!q) { put($('evidence')); return; }
  const stable = typeof q.stability === 'number' ? q.stability.toFixed(2) : 'not measured';
  const margin = typeof q.margin === 'number' ? `${sig(q.margin)}${q.marginUnit ? ' ' + q.marginUnit : ''} · rank ${q.rank} %` : 'none';
  const twin = q.twin && photo.questions.find(other => other !== q && other.twin === q.twin);
  const operands = q.operands || [], points = q.points || [];
  const table = (heads, rows) => el('div', { class: 'wide' }, el('table', null, el('thead', null, el('tr', null, heads.map(head => el('th', { scope: 'col' }, short(head, 40))))), el('tbody', null, rows)));
  const keys = rows => [...new Set(rows.flatMap(row => (row[3] || []).map(cell => cell[0])))];
  const cells = (row, names) => names.map(name => el('td', { class: 'num' }, ((row[3] || []).find(cell => cell[0] === name) || [, ''])[1]));
  put($('evidence'),
    dl([['value', (q.value || 'none') + (q.sigma ? ` ± ${q.sigma}` : '')], ['margin', margin], ['stability', stable], ['formula', q.formula], ['frame', q.frameWords],
      q.shortcut ? ['shortcut', `“${q.shortcut.rule}” is ${q.shortcut.right ? 'right' : 'wrong'} here`] : null,
      twin ? ['mirror', el('button', { type: 'button', onclick: () => show(photo, twin) }, 'show its twin')] : null,
      ['teacher', q.teacher], ['seed', q.seed], ['id', el('a', { href: '#' + encodeURIComponent(q.id) }, q.id)]]),
    operands.length ? [el('h3', null, 'Objects'), table(['role', 'name', ...keys(operands)], operands.map(row => el('tr', null, el('td', null, short(row[1], 40)), el('td', { class: 'name', dir: 'auto' }, el('span', { class: 'clip' }, dot(photo, row[0]), row[2])), cells(row, keys(operands)))))] : null,
    points.length ? [el('h3', null, 'Points'), table(['', 'where', ...keys(points)], points.map(row => el('tr', { class: row[1] === true ? 'truth' : null }, el('td', null, row[0]), el('td', { class: 'name', dir: 'auto' }, el('span', { class: 'clip' }, row[2])), cells(row, keys(points)))))] : null,
    q.other ? [el('h3', null, 'Other evidence'), dl(q.other)] : null,
    q.undrawn ? [el('h3', null, 'Not drawn'), el('ul', null, q.undrawn.map(reason => el('li', { dir: 'auto' }, short(reason, 300))))] : null,
    q.fact ? el('details', null, el('summary', null, 'Fact as stored'), el('p', { class: 'answer', dir: 'auto' }, q.fact)) : null,
    el('details', null, el('summary', null, 'Prompt as it is trained on'), el('p', { class: 'answer', dir: 'auto' }, q.prompt)));
}

function showAbout() {
  const photo = state.photo;
  if (photo.failed) { put($('about')); return; }
  const heads = [...new Set(photo.objects.flatMap(o => o.numbers.map(n => n[0])))];
  put($('about'),
    el('ul', { class: 'chips' }, el('li', null, `${photo.size[0]} × ${photo.size[1]} px`), photo.facts.map(fact => el('li', { dir: 'auto' }, fact)), photo.missing ? el('li', null, photo.missing) : null),
    photo.objects.length ? [el('h3', null, plural(photo.objects.length, 'object')), el('div', { class: 'wide' }, el('table', null,
      el('thead', null, el('tr', null, ['name', ...heads, 'noted'].map(head => el('th', { scope: 'col' }, head)))),
      el('tbody', null, photo.objects.map((o, k) => el('tr', null, el('td', { class: 'name', dir: 'auto' }, el('span', { class: 'clip' }, dot(photo, k), o.name)), heads.map(head => el('td', { class: 'num' }, (o.numbers.find(n => n[0] === head) || [, ''])[1])), el('td', { class: 'long' }, o.flags.join(', '))))))) ] : null,
    photo.skipped.length || photo.reasons.length ? [el('h3', null, 'Left out'), el('ul', null, photo.skipped.map(([name, reason]) => el('li', { dir: 'auto' }, short(`${name}: ${reason}`, 300))), photo.reasons.map(reason => el('li', { dir: 'auto' }, short(reason, 300))))] : null);
}
