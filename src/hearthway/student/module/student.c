// A student as a WebAssembly module: it reads the file as it is, checks all that it computes with, and runs it.
//
// The host: room(size) gives where the file goes; load(size) reads and checks it; prepare(in, out) gives where the inputs
// go; run(samples) computes them one after another; results() is where the outputs stand. Each returns 0 or a code that
// message() says in words (room and prepare: an address or 0). Inputs: for each sample u32 steps, then int32 ids or int8
// features, filled up to 4 bytes. Outputs: for each sample the file's outputs in their order, every number an int32.
//
// Nothing is read or written that was not checked against the file's size, and each loop's count was checked before it
// began. The legal forms and the bounds are those of student/legal.py.
#include "json.h"

#define EXPORT(name) __attribute__((export_name(name)))
enum { PAGE = 65536, ALIGN = 64, PREAMBLE = 24, FORMAT = 1 };
enum { FILE_MAX = 32 << 20, HEADER_MAX = 256 << 10, IO_MAX = 32 << 20 };
enum { STEPS_MAX = 4096, CHANNELS_MAX = 4096, KERNEL_MAX = 31, VOCABULARY_MAX = 65536 };
enum { NODES_MAX = 256, TENSORS_MAX = 1024, OUTPUTS_MAX = 32, TAKEN_MAX = 16, LENGTH_MAX = 1 << 26 };
enum { MACS_MAX = 1 << 27, NUMBERS_MAX = 1 << 22 };

enum code {
  GOOD, NO_MEMORY, NO_STUDENT, NEWER, CUT, BROKEN, TENSORS, OPERATOR, NAME, FORM, SUM, FACTOR, COSTLY, EMPTY, INPUT, SPACE
};
static const char *const words[] = {
    "",
    "There is not enough memory for it.",
    "This is not a student's file.",
    "The file is of a newer format than this module reads.",
    "The file is cut short, or holds more than it says.",
    "The file's header does not decode.",
    "A tensor of the file has an illegal form.",
    "An operator of the file is none that is known.",
    "An operator names what is not there.",
    "An operator has no legal form.",
    "A sum could leave 32 bits.",
    "A multiplier or a shift is out of range.",
    "One run costs more than a student may.",
    "No student is loaded, or no space was prepared.",
    "The input does not fit the student.",
    "The outputs do not fit into the space that was prepared.",
};

enum type { IDS, INT8, INT32, UINT8 };
enum op { EMBEDDING, CONV1D, DENSE, ADD, RELU, POOL, CONCAT, REQUANTISE, ARGMAX, OPS };
static const char *const op_names[] = {"embedding", "conv1d", "dense", "add", "relu", "pool", "concat", "requantise", "argmax"};

typedef struct {
  text name;
  u32 type, axes, shape[3];
  const u8 *at;
} tensor;

typedef struct {
  text name;
  u32 type, stepwise, channels;  // channels 0: one number, or one a step
  u8 *at;
} value;

typedef struct {
  u32 op, count, of[TAKEN_MAX];
  const tensor *table, *gain, *weight, *bias, *rescale;
  i32 m[2], shift, relu, sum;  // sum: of a pool, else it takes the largest
} node;

static struct {
  const u8 *header;
  u32 header_size, nodes_count, tensors_count, outputs_count, steps_max, vocabulary, loaded;
  u64 macs, numbers, held;
  tensor tensors[TENSORS_MAX];
  value values[NODES_MAX + 1];  // the input, then what each node gives
  node nodes[NODES_MAX];
  u32 outputs[OUTPUTS_MAX];
  u8 *free, *input, *input_end, *output, *output_end;
} the;

extern u8 __heap_base;

static u8 *aligned(u8 *at, u32 to) { return (u8 *)(((u32)at + to - 1) / to * to); }
static u8 *base(void) { return aligned(&__heap_base, ALIGN); }

// Memory up to `until`; the module states its own limit, which no host can be asked to exceed.
static i32 grown(u64 until) {
  u64 pages = (until + PAGE - 1) / PAGE, has = __builtin_wasm_memory_size(0);
  return pages <= has || __builtin_wasm_memory_grow(0, (u32)(pages - has)) != (u32)-1;
}

// ---- the header -------------------------------------------------------------------------------------------------

static i32 whole(reader *r, i64 low, i64 high) {
  i64 given = read_number(r);
  if (given < low || given > high) r->broken = 1;
  return r->broken ? 0 : (i32)given;
}

static u32 type_of(text name) {
  return is(name, "int8") ? INT8 : is(name, "uint8") ? UINT8 : is(name, "int32") ? INT32 : IDS;
}

static void read_tensor(reader *r, tensor *t) {
  i32 keys = 0;
  while (next(r, '{', '}', &keys)) {
    text key = read_key(r);
    if (is(key, "name")) t->name = read_text(r);
    else if (is(key, "dtype")) t->type = type_of(read_text(r));
    else if (is(key, "shape"))
      for (i32 items = 0; next(r, '[', ']', &items);) {
        if (t->axes == 3) r->broken = 1;
        else t->shape[t->axes++] = (u32)whole(r, 1, LENGTH_MAX);
      }
    else skip(r);
  }
}

// Tensors stand one after another, each at the next multiple of 64; the last one ends the file.
static enum code read_tensors(reader r, u32 size) {
  u64 at = PREAMBLE + the.header_size;
  for (i32 items = 0; next(&r, '[', ']', &items);) {
    if (the.tensors_count == TENSORS_MAX) return TENSORS;
    tensor *t = &the.tensors[the.tensors_count++];
    read_tensor(&r, t);
    if (r.broken || t->type == IDS || !t->axes) return TENSORS;
    u64 bytes = t->type == INT32 ? 4 : 1;
    for (u32 axis = 0; axis < t->axes; axis++)
      if ((bytes *= t->shape[axis]) > FILE_MAX) return CUT;
    u64 gap = at;
    at = (at + ALIGN - 1) / ALIGN * ALIGN;
    if (at + bytes > size) return CUT;
    while (gap < at)
      if (base()[gap++]) return CUT;
    t->at = base() + at;
    at += bytes;
  }
  return r.broken ? BROKEN : at == size ? GOOD : CUT;
}

static const tensor *tensor_named(text name) {
  for (u32 i = 0; i < the.tensors_count; i++)
    if (same(the.tensors[i].name, name)) return &the.tensors[i];
  return 0;
}

static u32 value_named(text name) {  // NODES_MAX + 1 where there is none
  for (u32 i = 0; i <= the.nodes_count; i++)
    if (same(the.values[i].name, name)) return i;
  return NODES_MAX + 1;
}

static enum code read_input(reader r) {
  text kind = {0, 0}, vocabulary = {0, 0};
  i32 keys = 0;
  u32 features = 0;
  while (next(&r, '{', '}', &keys)) {
    text key = read_key(&r);
    if (is(key, "kind")) kind = read_text(&r);
    else if (is(key, "steps_max")) the.steps_max = (u32)whole(&r, 0, STEPS_MAX);
    else if (is(key, "vocabulary")) vocabulary = read_text(&r);
    else if (is(key, "features"))
      for (i32 items = 0; next(&r, '[', ']', &items); features++) skip(&r);
    else skip(&r);
  }
  if (r.broken) return BROKEN;
  value *given = &the.values[0];
  given->name = (text){(const u8 *)"input", 5};
  given->stepwise = the.steps_max > 0;
  if (is(kind, "features")) {
    given->type = INT8;
    given->channels = features;
    return features && features <= CHANNELS_MAX ? GOOD : FORM;
  }
  const tensor *tokens = tensor_named(vocabulary);
  if (!is(kind, "text") || !the.steps_max || !tokens || tokens->type != UINT8 || tokens->axes != 1) return FORM;
  for (u32 i = 0; i < tokens->shape[0]; i++) the.vocabulary += tokens->at[i] == '\n';
  given->type = IDS;
  return ++the.vocabulary <= VOCABULARY_MAX ? GOOD : FORM;
}

// ---- the legal forms --------------------------------------------------------------------------------------------

static i32 fits(const tensor *t, u32 type, u32 axes, u32 a, u32 b, u32 c) {
  return t && t->type == type && t->axes == axes && (!a || t->shape[0] == a) && (axes < 2 || !b || t->shape[1] == b) &&
         (axes < 3 || !c || t->shape[2] == c);
}

static enum code rescale_fits(const tensor *t, u32 columns) {
  if (!fits(t, INT32, 2, 2, columns, 0)) return FORM;
  const i32 *m = (const i32 *)t->at, *s = m + columns;
  for (u32 i = 0; i < columns; i++)
    if (m[i] < 1 << 30 || s[i] < 1 || s[i] > 62) return FACTOR;
  return GOOD;
}

// No order of summing leaves 32 bits where |bias| + 128 * sum |w| does not.
static i32 sums_fit(const tensor *weight, const tensor *bias, u32 row) {
  const i8 *w = (const i8 *)weight->at;
  for (u32 o = 0; o < weight->shape[0]; o++, w += row) {
    i64 reach = ((const i32 *)bias->at)[o];
    if (reach < 0) reach = -reach;
    for (u32 i = 0; i < row; i++) reach += 128 * (w[i] < 0 ? -w[i] : w[i]);
    if (reach > 0x7fffffff) return 0;
  }
  return 1;
}

static enum code check_linear(node *n, const value *x, value *y, u64 *macs, u64 *window) {
  i32 conv = n->op == CONV1D;
  const tensor *w = n->weight;
  if (x->type != INT8 || !x->channels || (conv && !x->stepwise)) return FORM;
  if (!w || w->axes != (conv ? 3u : 2u) || w->type != INT8 || w->shape[w->axes - 1] != x->channels) return FORM;
  u32 outputs = w->shape[0], kernel = conv ? w->shape[1] : 1;
  if (kernel % 2 == 0 || kernel > KERNEL_MAX || !fits(n->bias, INT32, 1, outputs, 0, 0)) return FORM;
  if (n->relu && !n->rescale) return FORM;
  enum code found = n->rescale ? rescale_fits(n->rescale, outputs) : GOOD;
  if (found) return found;
  if (!sums_fit(w, n->bias, kernel * x->channels)) return SUM;
  *window = (u64)kernel * x->channels;
  *macs = *window * outputs;
  y->type = n->rescale ? INT8 : INT32;
  y->channels = outputs;
  return GOOD;
}

static enum code check_embedding(const node *n, const value *x, value *y) {
  const tensor *t = n->table;
  if (x->type != IDS || !t || t->axes != 2 || t->shape[0] != the.vocabulary) return FORM;
  y->type = INT8;
  y->channels = t->shape[1];
  if (!n->gain) return t->type == INT8 ? GOOD : FORM;
  if (t->type != UINT8 || !fits(n->gain, UINT8, 1, the.vocabulary, 0, 0)) return FORM;
  for (u32 i = 0; i < the.vocabulary; i++)
    if (n->gain->at[i] < 1 || n->gain->at[i] > 16) return FACTOR;
  y->channels *= 2;
  return GOOD;
}

static enum code check_concat(const node *n, value *y) {
  y->type = INT8;
  y->stepwise = y->channels = 0;
  for (u32 i = 0; i < n->count; i++) {
    const value *x = &the.values[n->of[i]];
    if (x->type != INT8 || !x->channels) return FORM;
    y->stepwise |= x->stepwise;
    y->channels += x->channels;
  }
  return n->count >= 2 ? GOOD : FORM;
}

static enum code check_add(const node *n, const value *a, const value *b) {
  if (a->type != INT8 || b->type != INT8 || a->channels != b->channels || a->stepwise != b->stepwise) return FORM;
  i32 large = n->m[0] > n->m[1] ? n->m[0] : n->m[1];
  return n->m[0] < 0 || n->m[1] < 0 || large < 1 << 30 || n->shift < 1 || n->shift > 62 ? FACTOR : GOOD;
}

// What a node gives; its multiply-adds a step, and the numbers it looks at for one.
static enum code check_node(node *n, value *y, u64 *macs, u64 *window) {
  const value *x = &the.values[n->of[0]];
  enum code found = GOOD;
  *y = (value){y->name, INT8, x->stepwise, x->channels, 0};
  *macs = *window = 0;
  if (n->op != CONCAT && (n->count != (n->op == ADD ? 2u : 1u))) return FORM;
  if (n->op != EMBEDDING && (x->type == IDS || !x->channels)) return FORM;
  switch (n->op) {
    case EMBEDDING: found = check_embedding(n, x, y); break;
    case CONV1D:
    case DENSE: found = check_linear(n, x, y, macs, window); break;
    case ADD: found = check_add(n, x, &the.values[n->of[1]]); break;
    case RELU: found = x->type == INT8 ? GOOD : FORM; break;
    case CONCAT: found = check_concat(n, y); break;
    case REQUANTISE: found = rescale_fits(n->rescale, x->channels); break;
    case POOL:
      y->stepwise = 0;
      if (x->type != INT8 || !x->stepwise) return FORM;
      found = n->sum ? rescale_fits(n->rescale, the.steps_max) : GOOD;
      break;
    default:  // argmax
      y->type = INT32;
      y->channels = 0;
      *window = *macs = x->channels;
  }
  if (!*window) *window = *macs = y->channels;
  return found ? found : y->channels <= CHANNELS_MAX ? GOOD : FORM;
}

enum key { TABLE, GAIN, WEIGHT, BIAS, RESCALE, HOW, FUSED, SHIFT, MULTIPLIERS, OP, CALLED, OF, KEYS };
static const char *const key_names[] = {"table", "gain", "weight", "bias", "rescale", "how", "relu", "shift", "multipliers", "op", "name", "of"};
static const u32 key_sets[] = {  // what each operator may have besides op, name and of
    1 << TABLE | 1 << GAIN,
    1 << WEIGHT | 1 << BIAS | 1 << RESCALE | 1 << FUSED,
    1 << WEIGHT | 1 << BIAS | 1 << RESCALE | 1 << FUSED,
    1 << MULTIPLIERS | 1 << SHIFT | 1 << FUSED,
    0,
    1 << HOW | 1 << RESCALE,
    0,
    1 << RESCALE | 1 << FUSED,
    0,
};

typedef struct {
  u32 seen, of_count;
  text tensors[RESCALE + 1], how, op, name, of[TAKEN_MAX];
} named;

static void take_one(reader *r, named *found) {
  text name = read_text(r);
  if (found->of_count == TAKEN_MAX) r->broken = 1;
  else found->of[found->of_count++] = name;
}

static void read_field(reader *r, u32 key, node *n, named *found) {
  i32 items = 0;
  switch (key) {
    case HOW: found->how = read_text(r); break;
    case OP: found->op = read_text(r); break;
    case CALLED: found->name = read_text(r); break;
    case FUSED: n->relu = read_bool(r); break;
    case SHIFT: n->shift = whole(r, 1, 62); break;
    case MULTIPLIERS:
      for (u32 i = 0; next(r, '[', ']', &items); i++)
        if (i < 2) n->m[i] = whole(r, -0x80000000ll, 0x7fffffff);
        else r->broken = 1;
      break;
    case OF:
      if (r->at < r->end && *r->at == '"') take_one(r, found);
      else
        while (next(r, '[', ']', &items)) take_one(r, found);
      break;
    default: found->tensors[key] = read_text(r);
  }
}

static enum code read_node(reader *r, node *n, text *name) {
  const tensor **const slots[] = {&n->table, &n->gain, &n->weight, &n->bias, &n->rescale};
  named found = {0};
  i32 keys = 0;
  while (next(r, '{', '}', &keys)) {
    text given = read_key(r);
    u32 key = 0;
    while (key < KEYS && !is(given, key_names[key])) key++;
    if (key == KEYS || found.seen >> key & 1) r->broken = 1;
    else if (key < OP && is_null(r)) continue;
    else {
      found.seen |= 1u << key;
      read_field(r, key, n, &found);
    }
  }
  if (r->broken || !found.of_count || !found.name.size) return BROKEN;
  while (n->op < OPS && !is(found.op, op_names[n->op])) n->op++;
  if (n->op == OPS) return OPERATOR;
  if (found.seen & ((1u << OP) - 1) & ~key_sets[n->op]) return FORM;
  n->sum = is(found.how, "sum");
  if (n->op == POOL && (n->sum ? !(found.seen >> RESCALE & 1) : !is(found.how, "max") || found.seen >> RESCALE & 1)) return FORM;
  for (u32 i = 0; i <= RESCALE; i++)
    if (found.seen >> i & 1 && !(*slots[i] = tensor_named(found.tensors[i]))) return NAME;
  for (n->count = 0; n->count < found.of_count; n->count++)
    if ((n->of[n->count] = value_named(found.of[n->count])) > NODES_MAX) return NAME;
  *name = found.name;
  return value_named(*name) > NODES_MAX ? GOOD : NAME;
}

static enum code read_nodes(reader r) {
  for (i32 items = 0; next(&r, '[', ']', &items);) {
    if (the.nodes_count == NODES_MAX) return COSTLY;
    node *n = &the.nodes[the.nodes_count];
    value *y = &the.values[the.nodes_count + 1];
    u64 macs, window;
    enum code found = read_node(&r, n, &y->name);
    if (!found) found = check_node(n, y, &macs, &window);
    if (found) return found;
    u32 stepwise = 0, count = y->channels ? y->channels : 1;
    for (u32 i = 0; i < n->count; i++) stepwise |= the.values[n->of[i]].stepwise;
    u64 steps = stepwise ? the.steps_max : 1;
    the.macs += steps * macs;
    the.numbers += steps * (count + window);
    if (the.macs > MACS_MAX || the.numbers > NUMBERS_MAX) return COSTLY;
    y->at = (u8 *)(u32)the.held;  // from where values begin; moved there when all are known
    the.held += (steps * count * (y->type == INT32 ? 4 : 1) + ALIGN - 1) / ALIGN * ALIGN;
    the.nodes_count++;
  }
  return r.broken ? BROKEN : the.nodes_count ? GOOD : FORM;
}

static enum code read_outputs(reader r) {
  for (i32 items = 0; next(&r, '[', ']', &items);) {
    if (the.outputs_count == OUTPUTS_MAX) return COSTLY;
    u32 which = value_named(read_text(&r));
    if (r.broken || which > NODES_MAX || !which) return NAME;
    for (u32 i = 0; i < the.outputs_count; i++)
      if (the.outputs[i] == which) return NAME;
    the.outputs[the.outputs_count++] = which;
  }
  return r.broken ? BROKEN : the.outputs_count ? GOOD : FORM;
}

static enum code read_header(u32 size) {
  reader r = {the.header, the.header + the.header_size, 0}, nodes = r, outputs = r, tensors = r, input = r;
  i32 keys = 0;
  nodes.broken = outputs.broken = tensors.broken = input.broken = 1;  // until they are found
  while (next(&r, '{', '}', &keys)) {
    text key = read_key(&r);
    if (is(key, "nodes")) nodes = r;
    if (is(key, "outputs")) outputs = r;
    if (is(key, "tensors")) tensors = r;
    if (is(key, "input")) input = r;
    skip(&r);
  }
  if (r.broken || r.at != r.end) return BROKEN;
  enum code found = read_tensors(tensors, size);
  if (!found) found = read_input(input);
  if (!found) found = read_nodes(nodes);
  return found ? found : read_outputs(outputs);
}

// ---- what the host calls ----------------------------------------------------------------------------------------

// Where a file of `size` bytes goes, or 0. Whatever was loaded is gone.
EXPORT("room") u8 *room(u32 size) {
  the.loaded = 0;
  return size && size <= FILE_MAX && grown((u64)(u32)base() + size) ? base() : 0;
}

// Reads and checks the file that stands at room(size).
EXPORT("load") u32 load(u32 size) {
  static const u8 magic[8] = {0x89, 'H', 'W', 'S', '\r', '\n', 0x1a, '\n'};
  const u8 *file = base();
  the.loaded = 0;
  if (!size || size > FILE_MAX || !grown((u64)(u32)file + size)) return NO_MEMORY;
  __builtin_memset(&the, 0, sizeof the);
  for (u32 i = 0; i < 8; i++)
    if (size < PREAMBLE || file[i] != magic[i]) return NO_STUDENT;
  const u32 *preamble = (const u32 *)(file + 8);
  if (preamble[0] != FORMAT) return preamble[0] > FORMAT ? NEWER : NO_STUDENT;
  if (preamble[2] != size || preamble[3]) return CUT;
  if (preamble[1] > HEADER_MAX || preamble[1] > size - PREAMBLE) return CUT;
  the.header = file + PREAMBLE;
  the.header_size = preamble[1];
  enum code found = read_header(size);
  if (found) return found;
  u8 *values = aligned(base() + size, ALIGN);
  the.free = values + the.held;
  if (!grown((u64)(u32)values + the.held)) return NO_MEMORY;
  for (u32 i = 1; i <= the.nodes_count; i++) the.values[i].at = values + (u32)the.values[i].at;
  the.loaded = 1;
  return GOOD;
}

// Where inputs of `in` bytes go, with space for outputs of `out` bytes; or 0.
EXPORT("prepare") u8 *prepare(u32 in, u32 out) {
  if (!the.loaded || in > IO_MAX || out > IO_MAX) return 0;
  the.input = the.free;
  the.input_end = the.input + in;
  the.output = aligned(the.input_end, ALIGN);
  the.output_end = the.output + out;
  return grown((u64)(u32)the.output_end) ? the.input : (the.input = the.input_end = the.output = the.output_end = 0);
}

EXPORT("results") const u8 *results(void) { return the.output; }

// The form of an output: whether it has steps, its channels (0: one number, or one a step), whether it is int32.
static const value *output(u32 which) { return &the.values[the.loaded && which < the.outputs_count ? the.outputs[which] : 0]; }
EXPORT("output_steps") u32 output_steps(u32 which) { return output(which)->stepwise; }
EXPORT("output_channels") u32 output_channels(u32 which) { return output(which)->channels; }
EXPORT("output_wide") u32 output_wide(u32 which) { return output(which)->type == INT32; }

static void compute(const node *n, u32 given_steps) {
  const value *x = &the.values[n->of[0]], *y = &the.values[(u32)(n - the.nodes) + 1];
  u32 steps = x->stepwise ? given_steps : 1, channels = x->channels, wide = x->type == INT32;
  const i32 *rescale = n->rescale ? (const i32 *)n->rescale->at : 0;
  i32 low = n->relu ? 0 : -128;
  i8 *to = (i8 *)y->at;
  switch (n->op) {
    case EMBEDDING:
      if (n->gain) embedding4((const i32 *)x->at, steps, n->table->at, n->gain->at, y->channels / 2, to);
      else embedding8((const i32 *)x->at, steps, (const i8 *)n->table->at, y->channels, to);
      break;
    case CONV1D:
    case DENSE: {
      sums_to sums = {(const i32 *)n->bias->at, rescale, y->channels, low, to};
      linear((const i8 *)x->at, steps, channels, (const i8 *)n->weight->at, n->op == CONV1D ? n->weight->shape[1] : 1, &sums);
      break;
    }
    case ADD: add((const i8 *)x->at, (const i8 *)the.values[n->of[1]].at, steps * channels, n->m, n->shift, low, to); break;
    case RELU: relu((const i8 *)x->at, steps * channels, to); break;
    case REQUANTISE: requantise(x->at, wide, steps, channels, rescale, low, to); break;
    case ARGMAX: argmax(x->at, wide, steps, channels, (i32 *)to); break;
    case POOL:
      if (n->sum) pool_sum((const i8 *)x->at, steps, channels, rescale, the.steps_max, to);
      else pool_max((const i8 *)x->at, steps, channels, to);
      break;
    default:  // concat: a vector beside a sequence stands at every step
      for (u32 t = 0, at = 0; t < (y->stepwise ? given_steps : 1); t++)
        for (u32 i = 0; i < n->count; i++) {
          const value *part = &the.values[n->of[i]];
          const i8 *from = (const i8 *)part->at + (part->stepwise ? t * part->channels : 0);
          for (u32 c = 0; c < part->channels; c++) to[at++] = from[c];
        }
  }
}

// Takes one sample from the input; the number of its steps, or 0 where it does not fit.
static u32 taken(u8 **at) {
  value *x = &the.values[0];
  u32 left = (u32)(the.input_end - *at);
  if (left < 4) return 0;
  u32 steps = *(const u32 *)*at, wanted = x->stepwise ? the.steps_max : 1;
  if (!steps || steps > wanted) return 0;
  u32 size = x->type == IDS ? steps * 4 : (steps * x->channels + 3) / 4 * 4;
  if (left - 4 < size) return 0;
  x->at = *at + 4;
  *at += 4 + size;
  if (x->type == IDS)
    for (u32 t = 0; t < steps; t++)
      if (((const u32 *)x->at)[t] >= the.vocabulary) return 0;
  return steps;
}

static i32 given(u32 steps, u8 **at) {
  for (u32 i = 0; i < the.outputs_count; i++) {
    const value *y = &the.values[the.outputs[i]];
    u32 count = (y->stepwise ? steps : 1) * (y->channels ? y->channels : 1);
    if ((u32)(the.output_end - *at) / 4 < count) return 0;
    for (u32 k = 0; k < count; k++, *at += 4) *(i32 *)*at = number(y->at, y->type == INT32, k);
  }
  return 1;
}

// Computes `samples` inputs, one after another.
EXPORT("run") u32 run(u32 samples) {
  if (!the.loaded || !the.input) return EMPTY;
  u8 *from = the.input, *to = the.output;
  for (u32 i = 0; i < samples; i++) {
    u32 steps = taken(&from);
    if (!steps) return INPUT;
    for (u32 k = 0; k < the.nodes_count; k++) compute(&the.nodes[k], steps);
    if (!given(steps, &to)) return SPACE;
  }
  return GOOD;
}

// What a code means: a sentence in UTF-8, ended by a zero byte.
EXPORT("message") const char *message(u32 code) { return code < sizeof words / sizeof *words ? words[code] : ""; }
