// SPDX-License-Identifier: Apache-2.0
// peers.js - template engines in node, asked by bench_render over stdin and
// stdout, a line each. Every engine gets the same pieces as its own template
// text. "node" is V8's template literal, which escapes nothing;
// "node-escaped" passes each field through JSON.stringify.
'use strict';
const fs = require('fs');

const optional = (name) => { try { return require(name); } catch { return null; } };
const dot = optional('dot'), ejs = optional('ejs'), handlebars = optional('handlebars');
const liquid = optional('liquidjs'), mustache = optional('mustache'), eta = optional('eta');
const nunjucks = optional('nunjucks'), jsonata = optional('jsonata');

const helpers = {
  plain: (s) => s, upper: (s) => s.toUpperCase(), lower: (s) => s.toLowerCase(), trim: (s) => s.trim(),
  head: (s) => s.substring(0, 8), replace: (s) => s.replaceAll('-', '/'), join: (s, t) => s + ' ' + t,
  default: (s) => s ?? 'none', choose: (s) => (s === 'paid' ? 'yes' : 'no'),
};
const inner = (s) => JSON.stringify(s).slice(1, -1);
const code = (piece) => ({
  plain: `p.${piece.field}`, upper: `p.${piece.field}.toUpperCase()`, lower: `p.${piece.field}.toLowerCase()`,
  trim: `p.${piece.field}.trim()`, head: `p.${piece.field}.substring(0, 8)`,
  replace: `p.${piece.field}.replaceAll('-', '/')`, join: `(p.${piece.field} + ' ' + p.${piece.next})`,
  default: `(p.${piece.field} ?? 'none')`, choose: `(p.${piece.field} === 'paid' ? 'yes' : 'no')`,
})[piece.function];

const literal = (text) => text.replace(/[\\`$]/g, '\\$&');
const text = (pieces, hole) => pieces.map((p) => (p.literal !== undefined ? p.literal : hole(p))).join('');
const source = (pieces, wrap) => 'return `' +
  pieces.map((p) => (p.literal !== undefined ? literal(p.literal) : '${' + wrap(code(p)) + '}')).join('') + '`';
const tagged = (pieces, open, close) => text(pieces, (p) => open + code(p) + close);
const plainOnly = (pieces) => pieces.every((p) => p.literal !== undefined || p.function === 'plain');

// name -> (pieces, unique) -> function of the payload, or null where the engine cannot do it
const engines = {
  node: (pieces, unique) => new Function('p', source(pieces, (c) => c) + '//' + unique),
  'node-escaped': (pieces, unique) => {
    const f = new Function('p', 'inner', source(pieces, (c) => `inner(${c})`) + '//' + unique);
    return (p) => f(p, inner);
  },
  dot: dot && ((pieces, unique) => dot.template(tagged(pieces, '{{=', '}}'),
    { ...dot.templateSettings, varname: 'p', strip: false }, { unique })),
  eta: eta && ((pieces) => {
    const engine = new eta.Eta({ autoEscape: false, varName: 'p', autoTrim: false, cache: false });
    return engine.compile(tagged(pieces, '<%~ ', ' %>')).bind(engine);
  }),
  ejs: ejs && ((pieces) => {
    const f = ejs.compile(tagged(pieces, '<%- ', ' %>'), { _with: false, localsName: 'p' });
    return (p) => f(p);
  }),
  handlebars: handlebars && ((pieces) => {
    const engine = handlebars.create();
    for (const name of Object.keys(helpers)) engine.registerHelper('k_' + name, (s, t) => helpers[name](s, t));
    return engine.compile(text(pieces, (p) => (p.function === 'plain' ? `{{{${p.field}}}}`
      : `{{{k_${p.function} ${p.field} ${p.next}}}}`)));
  }),
  mustache: mustache && ((pieces) => {
    if (!plainOnly(pieces)) return null;
    const writer = new mustache.Writer();
    const template = text(pieces, (p) => `{{{${p.field}}}}`);
    return (p) => writer.render(template, p);
  }),
  liquidjs: liquid && ((pieces) => {
    const engine = new liquid.Liquid();
    for (const name of Object.keys(helpers)) engine.registerFilter('k_' + name, (s, t) => helpers[name](s, t));
    const template = engine.parse(text(pieces, (p) => (p.function === 'plain' ? `{{ ${p.field} }}`
      : `{{ ${p.field} | k_${p.function}: ${p.next} }}`)));
    return (p) => engine.renderSync(template, p);
  }),
  nunjucks: nunjucks && ((pieces, unique) => {
    const engine = new nunjucks.Environment(null, { autoescape: false });
    const hole = (p) => '{{ ' + ({
      plain: p.field, upper: `${p.field} | upper`, lower: `${p.field} | lower`, trim: `${p.field} | trim`,
      head: `${p.field}.substring(0, 8)`, replace: `${p.field} | replace("-", "/")`, join: `${p.field} + " " + ${p.next}`,
      default: `${p.field} | default("none")`, choose: `"yes" if ${p.field} == "paid" else "no"`,
    })[p.function] + ' }}';
    const template = new nunjucks.Template(text(pieces, hole) + `{# ${unique} #}`, engine, null, true);
    return (p) => template.render(p);
  }),
  // jsonata builds the text by concatenation; the last version that evaluates without a promise.
  jsonata: jsonata && ((pieces, unique) => {
    const hole = (p) => ({
      plain: p.field, upper: `$uppercase(${p.field})`, lower: `$lowercase(${p.field})`, trim: `$trim(${p.field})`,
      head: `$substring(${p.field}, 0, 8)`, replace: `$replace(${p.field}, "-", "/")`, join: `${p.field} & " " & ${p.next}`,
      default: `($exists(${p.field}) ? ${p.field} : "none")`, choose: `(${p.field} = "paid" ? "yes" : "no")`,
    })[p.function];
    const source = pieces.map((p) => (p.literal !== undefined ? JSON.stringify(p.literal) : hole(p))).join(' & ');
    const expression = jsonata(source + ` /* ${unique} */`);
    return (p) => expression.evaluate(p);
  }),
};

for (const name of Object.keys(engines)) {
  if (engines[name]) continue;
  process.stderr.write(`bench: without ${name}; ./dev bench render --peers installs it\n`);
  delete engines[name];
}

const cases = {};
let unique = 0;
let sink = 0;

// Concatenation makes a rope; asking for a byte in the middle makes V8 write the text out.
const flat = (s) => { sink += s.charCodeAt(s.length >> 1); return s; };

const REQUEST_HEAD = 'POST /orders/';
function requests(kase) {
  const build = (f) => (bytes) => {
    const p = JSON.parse(bytes.toString('utf8'));
    const body = f(p);
    return Buffer.from(REQUEST_HEAD + encodeURIComponent(p.order_id) + ' HTTP/1.1\r\nX-Customer: ' + p.customer_id +
      '\r\n\r\n' + body);
  };
  return { node: build(kase.render.node), 'node-escaped': build(kase.render['node-escaped']) };
}

function prepare(message) {
  const payloads = message.payloads.map((t) => JSON.parse(t));
  const kase = { payloads, texts: message.payloads.map((t) => Buffer.from(t)), pieces: message.pieces, render: {}, compile: {} };
  for (const name of Object.keys(engines)) {
    const f = engines[name](message.pieces, unique++);
    if (!f) continue;
    kase.render[name] = f;
    kase.compile[name] = (p) => engines[name](message.pieces, unique++)(p);
  }
  kase.request = requests(kase);
  kase.condition = { node: (p) => p.status === 'paid' };
  kase.parse = { node: (bytes) => JSON.parse(bytes) };
  cases[message.name] = kase;
}

// One loop a function, so that V8 specialises each; made anew for each engine.
const loops = {};
const numbers = Array.from({ length: 4096 }, (_, i) => 'SO-2024-' + String(i).padStart(5, '0'));
function loop(message) {
  const id = message.case + message.action + message.engine;
  if (loops[id]) return loops[id];
  const kase = cases[message.case];
  const f = kase[message.action][message.engine];
  const takesText = message.action === 'request';
  const list = (takesText ? kase.texts : kase.payloads).slice(0, 4);
  const body = message.action === 'condition' ? 'let hits = 0; for (let i = 0; i < n; i++) if (f(list[i & 3])) hits++; return hits;'
    : takesText ? 'let sum = 0; for (let i = 0; i < n; i++) sum += f(list[i & 3]).length; return sum;'
      : 'let sum = 0; for (let i = 0; i < n; i++) { const p = list[i & 3]; p.order_id = numbers[i & 4095]; const s = f(p); sum += s.charCodeAt(s.length >> 1); } return sum;';
  const run = new Function('f', 'list', 'numbers', 'n', body + '//' + id);
  loops[id] = (n) => run(f, list, numbers, n);
  return loops[id];
}

function answer(message) {
  switch (message.op) {
    case 'case': prepare(message); return 'ok';
    case 'engine': return Object.keys(cases[message.case][message.action] || {})[message.n] || '';
    case 'output': {
      const kase = cases[message.case];
      if (message.n < 4) kase.payloads[message.n].order_id = numbers[message.n];
      const out = message.action === 'request' ? kase.request[message.engine](kase.texts[message.n])
        : Buffer.from(flat(kase.render[message.engine](kase.payloads[message.n])));
      return out.toString('hex');
    }
    case 'parse-text': cases[message.name] = { parse: { node: (t) => JSON.parse(t) }, text: message.text }; return 'ok';
    case 'run': {
      if (message.action === 'parse') {
        const text = cases[message.case].text;
        const begin = process.hrtime.bigint();
        for (let i = 0; i < message.n; i++) sink += JSON.parse(text) ? 1 : 0;
        return String(process.hrtime.bigint() - begin);
      }
      const run = loop(message);
      const begin = process.hrtime.bigint();
      sink += run(message.n) & 1;
      return String(process.hrtime.bigint() - begin);
    }
    default: throw new Error('unknown question ' + message.op);
  }
}

const chunk = Buffer.alloc(1 << 20);
let pending = '';
for (;;) {
  const at = pending.indexOf('\n');
  if (at >= 0) {
    const line = pending.slice(0, at);
    pending = pending.slice(at + 1);
    fs.writeSync(1, answer(JSON.parse(line)) + '\n');
    continue;
  }
  const n = fs.readSync(0, chunk, 0, chunk.length, null);
  if (n === 0) break;
  pending += chunk.toString('utf8', 0, n);
}
