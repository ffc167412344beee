// The legal forms: what an operator may take, what it gives, what that costs, and that no sum leaves 32 bits.
#pragma once
#include "state.h"

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
