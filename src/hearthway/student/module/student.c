// A student as a WebAssembly module: it reads the file as it is, checks all that it computes with, and runs it.
//
// The host: room(size) gives where the file goes; load(size) reads and checks it; prepare(in, out) gives where the inputs
// go; run(samples) computes them one after another; results() is where the outputs stand. Each returns 0 or a code that
// message() says in words (room and prepare: an address or 0). Inputs: for each sample u32 steps, then int32 ids or int8
// features, filled up to 4 bytes. Outputs: for each sample the file's outputs in their order, every number an int32.
//
// Nothing is read or written that was not checked against the file's size, and each loop's count was checked before it
// began. The legal forms and the bounds are those of student/legal.py.
#include "header.h"

#define EXPORT(name) __attribute__((export_name(name)))

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
