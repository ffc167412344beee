// The header of a file -> `the`. Names stand for tensors and for values that were given before.
#pragma once
#include "legal.h"

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

// ---- the operators ----------------------------------------------------------------------------------------------

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
