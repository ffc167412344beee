// The operators over int8, each as student/reference.py states it. No libc; no allocation; every length was checked by
// the caller. Sums are kept in u32 so that C gives them the wrapping they have in WebAssembly; a legal student has none.
#pragma once
#include <wasm_simd128.h>

typedef signed char i8;
typedef unsigned char u8;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

static inline i8 clamp(i64 value, i32 low) { return (i8)(value < low ? low : value > 127 ? 127 : value); }

// Round half up, once: (sum * m + 2^(s-1)) >> s in 64 bits.
static inline i64 scaled(i64 sum, i32 m, i32 s) { return (sum * m + ((i64)1 << (s - 1))) >> s; }

static inline u32 lanes(v128_t v) {
  return (u32)wasm_i32x4_extract_lane(v, 0) + (u32)wasm_i32x4_extract_lane(v, 1) +
         (u32)wasm_i32x4_extract_lane(v, 2) + (u32)wasm_i32x4_extract_lane(v, 3);
}

static inline v128_t multiplied(v128_t sum, v128_t x_low, v128_t x_high, const i8 *w) {
  sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(x_low, wasm_i16x8_load8x8(w)));
  return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(x_high, wasm_i16x8_load8x8(w + 8)));
}

// sums[j] = x . w[j * stride ..] for j in 0..4, over n bytes each.
static inline void dot4(const i8 *x, const i8 *w, u32 stride, u32 n, u32 *sums) {
  v128_t a = wasm_i32x4_splat(0), b = a, c = a, d = a;
  u32 i = 0;
  for (; i + 16 <= n; i += 16) {
    v128_t low = wasm_i16x8_load8x8(x + i), high = wasm_i16x8_load8x8(x + i + 8);
    const i8 *at = w + i;
    a = multiplied(a, low, high, at);
    b = multiplied(b, low, high, at + stride);
    c = multiplied(c, low, high, at + 2 * stride);
    d = multiplied(d, low, high, at + 3 * stride);
  }
  sums[0] = lanes(a);
  sums[1] = lanes(b);
  sums[2] = lanes(c);
  sums[3] = lanes(d);
  for (; i < n; i++)
    for (u32 j = 0; j < 4; j++) sums[j] += (u32)(x[i] * w[j * stride + i]);
}

static inline u32 dot(const i8 *x, const i8 *w, u32 n) {
  v128_t sum = wasm_i32x4_splat(0);
  u32 i = 0;
  for (; i + 16 <= n; i += 16)
    sum = multiplied(sum, wasm_i16x8_load8x8(x + i), wasm_i16x8_load8x8(x + i + 8), w + i);
  u32 total = lanes(sum);
  for (; i < n; i++) total += (u32)(x[i] * w[i]);
  return total;
}

// From each sum an int8 by its channel's multiplier and shift (rescale: m of all channels, then s), or the sum itself.
typedef struct {
  const i32 *bias, *rescale;
  u32 outputs;
  i32 low;
  void *y;
} sums_to;

static inline void put(const sums_to *to, u32 step, u32 o, u32 sum) {
  i32 all = (i32)(sum + (u32)to->bias[o]);
  u32 at = step * to->outputs + o;
  if (to->rescale)
    ((i8 *)to->y)[at] = clamp(scaled(all, to->rescale[o], to->rescale[to->outputs + o]), to->low);
  else
    ((i32 *)to->y)[at] = all;
}

// conv1d with zeros at both ends, and dense with a kernel of 1: what the window has of the steps is one row of bytes.
static void linear(const i8 *x, u32 steps, u32 channels, const i8 *w, u32 kernel, const sums_to *to) {
  u32 half = kernel / 2, stride = kernel * channels;
  for (u32 o = 0; o < to->outputs; o += 4)
    for (u32 t = 0; t < steps; t++) {
      u32 from = t < half ? 0 : t - half, until = t + half + 1 < steps ? t + half + 1 : steps;
      const i8 *given = x + from * channels, *row = w + o * stride + (from + half - t) * channels;
      u32 n = (until - from) * channels, sums[4];
      if (o + 4 <= to->outputs) {
        dot4(given, row, stride, n, sums);
        for (u32 j = 0; j < 4; j++) put(to, t, o + j, sums[j]);
      } else
        for (u32 j = 0; o + j < to->outputs; j++) put(to, t, o + j, dot(given, row + j * stride, n));
    }
}

static void embedding8(const i32 *ids, u32 steps, const i8 *table, u32 channels, i8 *y) {
  for (u32 t = 0; t < steps; t++)
    for (u32 c = 0; c < channels; c++) y[t * channels + c] = table[(u32)ids[t] * channels + c];
}

// Two numbers a byte, the low half first, each in two's complement, times the row's gain.
static void embedding4(const i32 *ids, u32 steps, const u8 *table, const u8 *gain, u32 half, i8 *y) {
  for (u32 t = 0; t < steps; t++)
    for (u32 h = 0; h < half; h++) {
      u32 both = table[(u32)ids[t] * half + h];
      i32 times = gain[ids[t]];
      y[t * half * 2 + h * 2] = (i8)((i32)((both & 15) ^ 8) * times - 8 * times);
      y[t * half * 2 + h * 2 + 1] = (i8)((i32)((both >> 4) ^ 8) * times - 8 * times);
    }
}

static void add(const i8 *a, const i8 *b, u32 n, const i32 *m, i32 s, i32 low, i8 *y) {
  for (u32 i = 0; i < n; i++) y[i] = clamp(((i64)a[i] * m[0] + (i64)b[i] * m[1] + ((i64)1 << (s - 1))) >> s, low);
}

static void relu(const i8 *x, u32 n, i8 *y) {
  for (u32 i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i];
}

static void pool_max(const i8 *x, u32 steps, u32 channels, i8 *y) {
  for (u32 c = 0; c < channels; c++) y[c] = x[c];
  for (u32 t = 1; t < steps; t++)
    for (u32 c = 0; c < channels; c++)
      if (x[t * channels + c] > y[c]) y[c] = x[t * channels + c];
}

// The table has a multiplier and a shift for each true length 1..rows.
static void pool_sum(const i8 *x, u32 steps, u32 channels, const i32 *table, u32 rows, i8 *y) {
  for (u32 c = 0; c < channels; c++) {
    i32 sum = 0;
    for (u32 t = 0; t < steps; t++) sum += x[t * channels + c];
    y[c] = clamp(scaled(sum, table[steps - 1], table[rows + steps - 1]), -128);
  }
}

static inline i32 number(const void *x, i32 wide, u32 at) { return wide ? ((const i32 *)x)[at] : ((const i8 *)x)[at]; }

static void requantise(const void *x, i32 wide, u32 steps, u32 channels, const i32 *rescale, i32 low, i8 *y) {
  for (u32 t = 0; t < steps; t++)
    for (u32 c = 0; c < channels; c++)
      y[t * channels + c] = clamp(scaled(number(x, wide, t * channels + c), rescale[c], rescale[channels + c]), low);
}

static void argmax(const void *x, i32 wide, u32 steps, u32 channels, i32 *y) {
  for (u32 t = 0; t < steps; t++) {
    y[t] = 0;
    for (u32 c = 1; c < channels; c++)
      if (number(x, wide, t * channels + c) > number(x, wide, t * channels + (u32)y[t])) y[t] = (i32)c;
  }
}
