// The data of the page, and how elements are made: text is only ever set as text.
const D = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'colour') node.style.background = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(3)) if (child !== null && child !== undefined && child !== '') node.append(child);
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const sv = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const put = (node, ...children) => { node.replaceChildren(); return fill(node, null, children); };
const said = number => Number(number).toLocaleString('en-US');
const short = (text, length) => { const signs = Array.from(text); return signs.length > length ? signs.slice(0, length - 1).join('') + '…' : text; };
const plural = (count, word) => said(count) + ' ' + word + (count === 1 ? '' : 's');
const sig = number => Number(Number(number).toPrecision(3)).toString();
const FORMATS = { mc: 'multiple choice', open: 'open', yesno: 'yes or no', point: 'pointing' };
const frameHead = frame => String(frame).split(/[ :]/)[0] || 'none';

// Every question once, in the order of the data; photos know their place.
const ALL = [];
D.photos.forEach((photo, place) => {
  photo.place = place;
  for (const q of photo.questions) {
    q.photo = photo;
    q.options = q.options || null;
    q.order = ALL.length;
    q.words = [q.id, q.stem, q.answer, q.prompt, photo.path, q.form, q.task, ...(q.operands || []).map(o => o[2])].join('\n').toLowerCase();
    ALL.push(q);
  }
});
const BY_ID = new Map(ALL.map(q => [q.id, q]));
const state = { photo: null, q: null, layer: 'photo', matches: ALL.slice(), evidence: true, all: false, masks: false, names: true };
