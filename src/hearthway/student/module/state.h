// What is known of the loaded student, and the bounds of student/legal.py.
#pragma once
#include "json.h"

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
