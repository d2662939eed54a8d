// Small JSON files that are replaced as a whole, and the SHA-256 of any file.
//
// Thread-safety: Unsafe; one writer a file.
#pragma once

#include <jansson.h>

#include "base/error.h"

// The object in the file, an empty one where there is none or it is damaged. Never NULL; the
// caller's reference.
json_t *sc_json_file_load(const char *path);
// Writes beside it, syncs and renames. SC_EIO, SC_ENOSPACE, SC_EDENIED.
int sc_json_file_save(const char *path, const json_t *object, sc_err *err);

const char *sc_json_text(const json_t *object, const char *key); // "" where there is none
// NULL and "" set nothing.
void sc_json_set_text(json_t *object, const char *key, const char *text);
void sc_json_print_line(const json_t *object); // on standard output

// Writes 64 lower-case digits and a NUL. SC_EIO, SC_ENOTFOUND. Blocks for the disk.
int sc_sha256_file(const char *path, char hex[65], sc_err *err);
