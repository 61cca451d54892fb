// The two drawings: on the picture, and from above. Marks carry places for both (p: picture, g: ground).
const GREY = ['main', 'right', 'wrong', 'help'];
const LAYERS = [['photo', 'Photo'], ['depth', 'Depth'], ['normals', 'Normals'], ['confidence', 'Confidence']];
const TOGGLES = [['evidence', 'Evidence', 'e'], ['all', 'All objects', 'a'], ['masks', 'Masks', 'm'], ['names', 'Names', 'n']];
const NAME_LENGTH = 26;

// A question about marked things shows the copy of the photo that the marks are on.
const markedUrl = photo => photo.marked && state.q && state.photo === photo && photo.marked[state.q.picture];
const layerUrl = (photo, layer) => layer === 'photo' ? markedUrl(photo) || photo.url : layer === 'normals' ? photo.normals : photo[layer] && photo[layer].url;
const colourOf = (photo, mark) => mark.o !== undefined && photo.objects[mark.o] ? photo.objects[mark.o].colour : `var(--${GREY.includes(mark.t) ? mark.t : 'main'})`;
const usedBy = q => new Set((q && q.operands || []).map(o => o[0]).filter(k => k !== null && k !== undefined));
const shownObjects = () => state.photo.objects.map((_, k) => k).filter(k => !state.q || state.all || usedBy(state.q).has(k));

// A pen draws in the units of one drawing; px is how many of them one pixel of the screen is.
function pen(group, width, height, px) {
  const taken = [];
  const pick = (x, y, wide, high) => {
    const cx = Math.min(Math.max(x, wide), Math.max(width - wide, wide));
    const inside = yy => Math.min(Math.max(yy, high), height - 3 * px);
    const free = yy => taken.every(([a, b, h]) => Math.abs(yy - b) > high || Math.abs(cx - a) > wide + h);
    const cy = [0, -1, 1, -2, 2, -3, 3].map(s => inside(y + s * 1.1 * high)).find(free) ?? inside(y);
    taken.push([cx, cy, wide]);
    return [cx, cy];
  };
  const text = (x, y, words, colour, size = 13) => {
    if (!words) return;
    const full = String(words), letters = short(full, NAME_LENGTH), high = size * px;
    const [cx, cy] = pick(x, y, 0.3 * high * Array.from(letters).length + 2 * px, high);
    const node = sv('text', { x: cx, y: cy, 'font-size': high, 'text-anchor': 'middle', fill: colour, 'stroke-width': 0.26 * high }, letters);
    if (letters !== full) node.append(sv('title', null, short(full, 300)));
    group.append(node);
  };
  const path = (d, attributes) => group.append(sv('path', { d, fill: 'none', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', ...attributes }));
  const line = (places, colour, wide, dashed, closed) => {
    const d = 'M' + places.map(p => p.join(' ')).join('L') + (closed ? 'z' : '');
    path(d, { stroke: 'var(--halo)', 'stroke-width': (wide + 2.4) * px, opacity: dashed ? 0.5 : 0.85 });
    path(d, { stroke: colour, 'stroke-width': wide * px, 'stroke-dasharray': dashed ? `${5 * px} ${5 * px}` : null });
  };
  const size = wide => (6 + 2.2 * wide) * px;
  const along = ([x0, y0], [x1, y1]) => { const length = Math.hypot(x1 - x0, y1 - y0) || 1; return [(x1 - x0) / length, (y1 - y0) / length]; };
  const neck = (start, end, wide) => { const [ux, uy] = along(start, end), s = 0.8 * size(wide); return [end[0] - ux * s, end[1] - uy * s]; };
  const head = (start, [x, y], colour, wide) => {
    const [ux, uy] = along(start, [x, y]), s = size(wide), [bx, by] = [x - ux * s, y - uy * s];
    path(`M${x} ${y}L${bx - uy * s * 0.55} ${by + ux * s * 0.55}L${bx + uy * s * 0.55} ${by - ux * s * 0.55}z`, { fill: colour, stroke: 'var(--halo)', 'stroke-width': px });
  };
  const disc = (x, y, r, colour) => group.append(sv('circle', { cx: x, cy: y, r: r * px, fill: colour, stroke: 'var(--halo)', 'stroke-width': 1.5 * px }));
  const letter = (x, y, words, colour) => {
    const cx = Math.min(Math.max(x, 10 * px), width - 10 * px), cy = Math.min(Math.max(y, 10 * px), height - 10 * px);
    disc(cx, cy, 10, colour);
    taken.push([cx, cy + 6 * px, 12 * px]);
    group.append(sv('text', { class: 'on', x: cx, y: cy + 4.6 * px, 'font-size': 13 * px, 'text-anchor': 'middle' }, short(String(words), 3)));
  };
  return { text, line, neck, head, disc, letter, path, px };
}

function drawMarks(tool, photo, marks, view) {
  const labels = [], named = new Set(state.names ? shownObjects().map(k => photo.objects[k].name) : []);
  for (const mark of marks || []) {
    const places = mark[view];
    if (!places || !places.length) continue;
    const colour = colourOf(photo, mark), wide = mark.w ? 4 : mark.t === 'help' ? 1.3 : 2.4, first = places[0], last = places[places.length - 1];
    let at = first;
    if (mark.k === 'segment' || mark.k === 'line') { tool.line(places, colour, wide, mark.d); at = mark.k === 'line' ? places[places.length >> 1] : [(first[0] + last[0]) / 2, (first[1] + last[1]) / 2]; }
    else if (mark.k === 'arrow') { tool.line([first, tool.neck(first, last, wide)], colour, wide, mark.d); tool.head(first, last, colour, wide); at = [(first[0] + last[0]) / 2, (first[1] + last[1]) / 2]; }
    else if (mark.k === 'polygon') tool.line(places, colour, wide, mark.d, true);
    else if (mark.k === 'letter') { tool.letter(first[0], first[1], mark.l || '', colour); continue; }
    else if (mark.k === 'stand') { tool.disc(first[0], first[1], 7, colour); tool.disc(first[0], first[1], 3, 'var(--halo)'); }
    else if (mark.k === 'point') tool.disc(first[0], first[1], 4.5, colour);
    if (mark.l && !named.has(mark.l)) labels.push([at, mark.l, colour]);
  }
  for (const [at, words, colour] of labels) tool.text(at[0], at[1] - 8 * tool.px, words, colour);
}

function drawPicture() {
  const box = $('shot'), photo = state.photo;
  if (!box) return;
  const svg = box.querySelector('svg'), [width, height] = photo.size, px = width / (box.clientWidth || width);
  put(svg);
  const tool = pen(svg, width, height, px), chosenOnes = shownObjects();
  for (const k of chosenOnes) {
    const d = photo.objects[k].outline, colour = photo.objects[k].colour;
    if (state.masks) svg.append(sv('path', { class: 'fill', d, fill: colour }));
    svg.append(sv('path', { class: 'outline halo', d }), sv('path', { class: 'outline', d, stroke: colour }));
  }
  if (state.evidence && state.q) drawMarks(tool, photo, state.q.marks, 'p');
  if (state.names) for (const k of chosenOnes) tool.text(...photo.objects[k].tag, photo.objects[k].name, photo.objects[k].colour);
}

function drawAbove() {
  const svg = $('plan'), photo = state.photo, plan = photo.plan;
  if (!svg || !plan) return;
  const size = D.plan, px = size / (svg.clientWidth || size), used = state.q ? usedBy(state.q) : new Set(photo.objects.keys());
  put(svg);
  const tool = pen(svg, size, size, px), flat = p => p.join(' ');
  tool.path(`M${flat(plan.eye)}L${flat(plan.view[0])}L${flat(plan.view[1])}z`, { fill: 'var(--view)' });
  plan.dots.forEach((dots, k) => {
    let d = '';
    for (let i = 0; i < dots.length; i += 2) d += `M${dots[i]} ${dots[i + 1]}h0`;
    const thing = photo.objects[k];
    svg.append(sv('path', { class: 'dots', d, stroke: thing && used.has(k) ? thing.colour : 'var(--dots)' }));
  });
  const lit = new Set(shownObjects());
  photo.objects.forEach((thing, k) => {
    const corners = plan.boxes[k];
    if (!corners) return;
    const d = 'M' + corners.map(flat).join('L') + 'z', strong = lit.has(k);
    tool.path(d, { stroke: strong ? thing.colour : 'var(--dots)', 'stroke-width': (strong ? 2 : 1) * px, fill: strong ? thing.colour : 'none', 'fill-opacity': 0.16 });
  });
  const [x, y] = plan.eye;
  tool.path(`M${x} ${y - 2 * px}l${-7 * px} ${11 * px}h${14 * px}z`, { fill: 'var(--main)' });
  if (state.evidence && state.q) drawMarks(tool, photo, state.q.marks, 'g');
  for (const k of lit) if (plan.centres[k]) {
    const at = plan.centres[k];
    tool.disc(at[0], at[1], 4, photo.objects[k].colour);
    if (state.names) tool.text(at[0], at[1] - 8 * px, photo.objects[k].name, photo.objects[k].colour, 12);
  }
  const b = plan.bar, floor = size - 8;
  tool.line([[8, floor], [8 + b.length, floor]], 'var(--main)', 2);
  svg.append(sv('text', { x: 8, y: floor - 6 * px, 'font-size': 12 * px, fill: 'var(--main)', 'stroke-width': 3 * px }, b.text));
}

// ---- values under the pointer
const decoded = new WeakMap();
function steps(photo, layer) {
  const made = decoded.get(photo) || {};
  decoded.set(photo, made);
  if (made[layer] || !photo[layer]) return made[layer];
  const map = { ready: false };
  made[layer] = map;
  const image = new Image();
  image.onload = () => {
    const canvas = el('canvas', { width: image.naturalWidth, height: image.naturalHeight }), pencil = canvas.getContext('2d', { willReadFrequently: true });
    pencil.drawImage(image, 0, 0);
    const rgba = pencil.getImageData(0, 0, canvas.width, canvas.height).data, colours = D.palettes[layer], code = new Map();
    for (let k = 0; k < colours.length / 6; k++) code.set(parseInt(colours.slice(6 * k, 6 * k + 6), 16), k + 1);
    Object.assign(map, { ready: true, width: canvas.width, height: canvas.height, at: (u, v) => { const i = 4 * (v * canvas.width + u); return code.get((rgba[i] << 16) | (rgba[i + 1] << 8) | rgba[i + 2]) || (rgba[i] < 60 ? 255 : 0); } });
  };
  image.src = photo[layer].url;
  return map;
}
function valueAt(photo, layer, u, v) {
  const map = steps(photo, layer);
  if (!map || !map.ready) return '';
  const step = map.at(Math.min(map.width - 1, Math.floor(u * map.width)), Math.min(map.height - 1, Math.floor(v * map.height)));
  if (layer === 'confidence') return step ? `confidence ${((step - 1) / 253).toFixed(2)}` : '';
  if (step === 0) return 'depth unknown';
  if (step === 255) return 'sky';
  const share = (step - 1) / 253, depth = photo.depth.near * Math.pow(photo.depth.far / photo.depth.near, share), edge = step === 1 ? '≤ ' : step === 254 ? '≥ ' : '';
  return photo.depth.unit === 'order' ? `depth rank ${Math.round(100 * share)} % of the range` : `depth ${edge}${depth.toFixed(2)}${photo.depth.unit === 'm' ? ' m' : ' (relative)'}`;
}
function readOut(event) {
  const photo = state.photo, box = $('shot').getBoundingClientRect();
  const u = (event.clientX - box.left) / box.width, v = (event.clientY - box.top) / box.height;
  if (u < 0 || v < 0 || u >= 1 || v >= 1) return;
  const x = u * photo.size[0], y = v * photo.size[1], point = new DOMPoint(x, y);
  const shapes = [...$('shot').querySelectorAll('path.outline:not(.halo)')], names = shownObjects();
  const under = shapes.map((shape, k) => shape.isPointInFill(point) ? photo.objects[names[k]].name : '').filter(Boolean);
  put($('readout'), [`x ${Math.floor(x)}, y ${Math.floor(y)}`, valueAt(photo, 'depth', u, v), valueAt(photo, 'confidence', u, v), short(under.join(', '), 80)].filter(Boolean).join(' · '));
}
