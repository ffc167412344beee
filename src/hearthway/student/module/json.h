// A reader of canonical JSON: no white space. It never reads outside [at, end), and each step of a loop takes a byte.
// What it skips it does not judge: the hosts parse the whole header with their own JSON.
#pragma once
#include "kernels.h"

typedef struct {
  const u8 *at, *end;
  i32 broken;
} reader;

typedef struct {
  const u8 *at;
  u32 size;
} text;

static i32 take(reader *r, u8 c) {
  if (r->broken || r->at >= r->end || *r->at != c) return 0;
  r->at++;
  return 1;
}

static void want(reader *r, u8 c) {
  if (!take(r, c)) r->broken = 1;
}

static text read_text(reader *r) {
  text found = {0, 0};
  want(r, '"');
  found.at = r->at;
  while (!r->broken && r->at < r->end && *r->at != '"') r->at += *r->at == '\\' ? 2 : 1;
  if (r->broken || r->at >= r->end) {
    r->broken = 1;
    return found;
  }
  found.size = (u32)(r->at - found.at);
  r->at++;
  return found;
}

// A whole number below 10^18 in size.
static i64 read_number(reader *r) {
  i32 negative = take(r, '-');
  i64 value = 0;
  u32 digits = 0;
  while (!r->broken && r->at < r->end && *r->at >= '0' && *r->at <= '9') {
    if (++digits > 18) r->broken = 1;
    value = value * 10 + (*r->at++ - '0');
  }
  if (!digits) r->broken = 1;
  return negative ? -value : value;
}

static i32 read_bool(reader *r) {
  const char *words[2] = {"false", "true"};
  for (i32 which = 0; which < 2; which++)
    if (!r->broken && r->at < r->end && *r->at == (u8)words[which][0]) {
      for (const char *c = words[which]; *c; c++) want(r, (u8)*c);
      return which;
    }
  r->broken = 1;
  return 0;
}

static i32 is_null(reader *r) {
  if (r->broken || r->at >= r->end || *r->at != 'n') return 0;
  for (const char *c = "null"; *c; c++) want(r, (u8)*c);
  return 1;
}

// One value of any kind, left unread.
static void skip(reader *r) {
  u32 depth = 0;
  while (!r->broken) {
    if (r->at >= r->end) {
      r->broken = 1;
      return;
    }
    u8 c = *r->at;
    if (depth == 0 && (c == ',' || c == '}' || c == ']')) return;
    if (c == '"') {
      read_text(r);
      continue;
    }
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    r->at++;
  }
}

// while (next(&r, '[', ']', &started)) read an item; with '{' and '}' read its key before.
static i32 next(reader *r, u8 open, u8 close, i32 *started) {
  if (!*started) want(r, open);
  if (r->broken || take(r, close)) return 0;
  if (*started) want(r, ',');
  *started = 1;
  return !r->broken;
}

static text read_key(reader *r) {
  text key = read_text(r);
  want(r, ':');
  return key;
}

static i32 same(text a, text b) {
  if (a.size != b.size) return 0;
  for (u32 i = 0; i < a.size; i++)
    if (a.at[i] != b.at[i]) return 0;
  return 1;
}

static i32 is(text a, const char *word) {
  u32 i = 0;
  for (; i < a.size && word[i]; i++)
    if (a.at[i] != (u8)word[i]) return 0;
  return i == a.size && !word[i];
}
