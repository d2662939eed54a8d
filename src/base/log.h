// Logging: one line an event, as logfmt or JSON, with typed fields.
//
//   SC_INFO(log, "upload stored", SC_S("id", id), SC_I("bytes", size));
//   -> time=... level=info obj=videos msg="upload stored" id=demo bytes=1048576
//
// Each object has its own sc_log (a name plus the shared sink); a NULL sc_log logs nothing.
// Levels: ERROR somebody must act; WARN odd but handled; INFO a day's story; DEBUG for the
// developer; TRACE may print per frame. Lines are written with one write(2) each.
//
// Thread-safety: Safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sc_log sc_log;

enum sc_log_level { SC_LOG_ERROR, SC_LOG_WARN, SC_LOG_INFO, SC_LOG_DEBUG, SC_LOG_TRACE };
enum sc_log_format { SC_LOG_LOGFMT, SC_LOG_JSON };

typedef struct sc_log_field {
    const char *key;
    enum { SC_FIELD_STR, SC_FIELD_INT, SC_FIELD_NUM, SC_FIELD_BOOL } type;
    const char *s; // NULL prints as an empty string
    int64_t i;
    double f;
} sc_log_field;

#define SC_S(k, v) ((sc_log_field){.key = (k), .type = SC_FIELD_STR, .s = (v)})
#define SC_I(k, v) ((sc_log_field){.key = (k), .type = SC_FIELD_INT, .i = (int64_t)(v)})
#define SC_F(k, v) ((sc_log_field){.key = (k), .type = SC_FIELD_NUM, .f = (double)(v)})
#define SC_B(k, v) ((sc_log_field){.key = (k), .type = SC_FIELD_BOOL, .i = (v) ? 1 : 0})

struct sc_log_params {
    int fd;                  // where lines go; 0 = 2 (standard error)
    enum sc_log_level level; // lines above it are not made
    enum sc_log_format format;
};

// A root log. Never NULL.
sc_log *sc_log_open(const struct sc_log_params *params);
// A log named `name` that shares parent's sink; NULL parent gives NULL. Close before the root.
sc_log *sc_log_child(sc_log *parent, const char *name);
void sc_log_close(sc_log **plog);

bool sc_log_enabled(const sc_log *log, enum sc_log_level level);
void sc_log_write(sc_log *log, enum sc_log_level level, const char *msg,
                  const sc_log_field *fields, size_t count);

// "error" .. "trace", "logfmt"/"json"; -1 if unknown.
int sc_log_level_parse(const char *name);
int sc_log_format_parse(const char *name);

// The empty first element lets a line have no fields.
#define SC_LOG(log, level, msg, ...)                                                           \
    do {                                                                                       \
        if (sc_log_enabled(log, level)) {                                                      \
            const sc_log_field fields_[] = {{0}, ##__VA_ARGS__};                               \
            sc_log_write(log, level, msg, fields_ + 1,                                         \
                         sizeof(fields_) / sizeof(*fields_) - 1);                              \
        }                                                                                      \
    } while (0)
#define SC_ERROR(log, msg, ...) SC_LOG(log, SC_LOG_ERROR, msg, ##__VA_ARGS__)
#define SC_WARN(log, msg, ...)  SC_LOG(log, SC_LOG_WARN, msg, ##__VA_ARGS__)
#define SC_INFO(log, msg, ...)  SC_LOG(log, SC_LOG_INFO, msg, ##__VA_ARGS__)
#define SC_DEBUG(log, msg, ...) SC_LOG(log, SC_LOG_DEBUG, msg, ##__VA_ARGS__)
#define SC_TRACE(log, msg, ...) SC_LOG(log, SC_LOG_TRACE, msg, ##__VA_ARGS__)
