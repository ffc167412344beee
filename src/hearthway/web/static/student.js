// A student in the browser: its file as the node has it, its tokens, and its bits, which are those of every other runtime.
// What is said here is said in Python by student/format.py, tokens.py, wasm.py and answer.py; tests hold them equal.

export class StudentError extends Error {}

const MAGIC = [0x89, 0x48, 0x57, 0x53, 0x0d, 0x0a, 0x1a, 0x0a];
const PREAMBLE = 24;
const ALIGN = 64;
const SIZES = { int8: 1, uint8: 1, int32: 4 };

// ---- the file ---------------------------------------------------------------------------------------------------

// {header, tensor(name) -> its bytes}. The module reads and checks the file for itself; this is for what it does not compute.
export function readFile(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < PREAMBLE || MAGIC.some((byte, at) => bytes[at] !== byte)) throw new StudentError("This is not a student's file.");
  const length = view.getUint32(12, true);
  if (PREAMBLE + length > bytes.length) throw new StudentError("The file is cut short.");
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(PREAMBLE, PREAMBLE + length)));
  } catch {
    throw new StudentError("The file's header does not decode.");
  }
  const starts = new Map();
  let at = PREAMBLE + length;
  for (const { name, dtype, shape } of header.tensors) {
    at = Math.ceil(at / ALIGN) * ALIGN;
    const size = shape.reduce((all, one) => all * one, SIZES[dtype]);
    starts.set(name, [at, at + size]);
    at += size;
  }
  return { header, tensor: (name) => bytes.subarray(...starts.get(name)) };
}

export async function identityOf(bytes) {
  if (!globalThis.crypto?.subtle) throw new StudentError("This browser checks a file only over https or on the node's own machine.");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// ---- tokens -----------------------------------------------------------------------------------------------------

const READ_MAX = 4096; // code points of a text
const WORD_MAX = 64; // letters of a word
const [SPACE, LETTER, SIGN, FOREIGN] = [0, 1, 2, 3];
const SPACES = new Set([0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]);
for (const [from, to] of [[0, 0x20], [0x7f, 0xa0], [0x2000, 0x200a]]) for (let c = from; c <= to; c++) SPACES.add(c);

export class Tokenizer {
  constructor(input, vocabulary) {
    this.input = input;
    this.begin = new Map();
    this.goOn = new Map();
    this.longest = 0;
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(vocabulary).split("\n").forEach((token, id) => {
      const more = token.startsWith("##");
      const letters = more ? token.slice(2) : token;
      (more ? this.goOn : this.begin).set(letters, id);
      this.longest = Math.max(this.longest, [...letters].length);
    });
    this.kinds = new Map([...[...input.letters].map((c) => [c, LETTER]), ...[...input.signs].map((c) => [c, SIGN])]);
    this.reads = new Map([...input.drop].map((c) => [c, ""]));
    for (const [target, sources] of Object.entries(input.fold)) for (const c of sources) this.reads.set(c, target);
  }

  ids(text) { return Int32Array.from(this.tokens(text), (token) => token.id); }

  // [{id, start, end, first}], spans in code points of the text as given.
  tokens(text) {
    const found = [];
    for (const word of this.words(text)) {
      found.push(...this.pieces(word));
      if (found.length >= this.input.steps_max) break;
    }
    return found.length ? found.slice(0, this.input.steps_max) : [{ id: this.input.unknown, start: 0, end: 0, first: true }];
  }

  *words(text) {
    let word = { kind: SPACE, letters: [], starts: [], ends: [] };
    let at = 0;
    for (const character of text) {
      if (at === READ_MAX) break;
      const target = this.reads.get(character) ?? character;
      if (!target && word.ends.length) word.ends[word.ends.length - 1] = at + 1;
      for (const letter of target) {
        const kind = this.kinds.get(letter) ?? (SPACES.has(letter.codePointAt(0)) ? SPACE : FOREIGN);
        if (kind !== word.kind || kind === SIGN) {
          if (word.letters.length) yield word;
          word = { kind, letters: [], starts: [], ends: [] };
        }
        if (kind !== SPACE) {
          word.letters.push(letter);
          word.starts.push(at);
          word.ends.push(at + 1);
        }
      }
      at++;
    }
    if (word.letters.length) yield word;
  }

  pieces({ kind, letters, starts, ends }) {
    const unknown = [{ id: this.input.unknown, start: starts[0], end: ends.at(-1), first: true }];
    if (kind === FOREIGN || letters.length > WORD_MAX) return unknown;
    const found = [];
    for (let at = 0; at < letters.length;) {
      const table = at ? this.goOn : this.begin;
      let end = Math.min(letters.length, at + this.longest);
      while (!table.has(letters.slice(at, end).join(""))) if (--end === at) return unknown;
      found.push({ id: table.get(letters.slice(at, end).join("")), start: starts[at], end: ends[end - 1], first: !at });
      at = end;
    }
    return found;
  }
}

// ---- the module -------------------------------------------------------------------------------------------------

export class Runtime {
  // `module`: the compiled WebAssembly.Module. StudentError where it refuses the file.
  constructor(module, bytes) {
    this.exports = new WebAssembly.Instance(module).exports;
    const at = this.exports.room(bytes.length);
    if (!at) this.refuse(1);
    this.memory(at, bytes.length).set(bytes);
    const code = this.exports.load(bytes.length);
    if (code) this.refuse(code);
    const { header } = readFile(bytes);
    this.input = header.input;
    this.outputs = header.outputs.map((name, which) => ({
      name,
      steps: this.exports.output_steps(which) === 1,
      channels: this.exports.output_channels(which),
      type: this.exports.output_wide(which) ? Int32Array : Int8Array,
    }));
  }

  memory(at, size) { return new Uint8Array(this.exports.memory.buffer, at >>> 0, size); }

  refuse(code) {
    const words = this.memory(this.exports.message(code), 200);
    throw new StudentError(new TextDecoder().decode(words.subarray(0, words.indexOf(0))));
  }

  // Inputs: Int32Array of ids, or Int8Array of features, step after step. For each a {name: Int32Array | Int8Array}.
  runAll(inputs) {
    const channels = this.input.kind === "features" ? this.input.features.length : 1;
    const steps = inputs.map((one) => (this.input.steps_max ? one.length / channels : 1));
    const sizes = inputs.map((one) => 4 + Math.ceil(one.byteLength / 4) * 4);
    const counts = steps.map((n) => this.outputs.map((out) => (out.steps ? n : 1) * (out.channels || 1)));
    const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
    const words = sum(counts.flat());
    let at = this.exports.prepare(sum(sizes), words * 4);
    if (!at) this.refuse(1);
    inputs.forEach((one, i) => {
      new DataView(this.exports.memory.buffer).setUint32(at, steps[i], true);
      this.memory(at + 4, one.byteLength).set(new Uint8Array(one.buffer, one.byteOffset, one.byteLength));
      at += sizes[i];
    });
    const code = this.exports.run(inputs.length);
    if (code) this.refuse(code);
    const given = new Int32Array(this.exports.memory.buffer, this.exports.results(), words).slice();
    let from = 0;
    return counts.map((row) => Object.fromEntries(this.outputs.map(({ name, type }, k) =>
      [name, type.from(given.subarray(from, from += row[k]))])));
  }
}

// ---- what the numbers mean --------------------------------------------------------------------------------------

// {intent, accepted, score}: accepted by comparing integers; the score is a probability to show, and decides nothing.
export function judge(head, logits) {
  let best = -1;
  logits.forEach((logit, i) => { if (i !== head.outside && (best < 0 || logit > logits[best])) best = i; });
  const margin = head.score === "margin" && head.outside !== null && head.outside !== undefined;
  const score = logits[best] - (margin ? logits[head.outside] : 0);
  const top = logits.reduce((a, b) => Math.max(a, b));
  const all = logits.reduce((sum, logit) => sum + Math.exp((logit - top) * head.scale), 0);
  return { intent: head.labels[best], accepted: score >= head.threshold, score: Math.exp((logits[best] - top) * head.scale) / all };
}
