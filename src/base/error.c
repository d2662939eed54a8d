#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const char *sc_strerror(int code)
{
    switch (code) {
    case SC_OK:
        return "success";
#define CASE(name, text, state)                                                                \
    case SC_E##name:                                                                           \
        return text;
        SC_ERRORS(CASE)
#undef CASE
    default:
        return "unknown error";
    }
}

const char *sc_error_name(int code)
{
    switch (code) {
    case SC_OK:
        return "OK";
#define CASE(name, text, state)                                                                \
    case SC_E##name:                                                                           \
        return #name;
        SC_ERRORS(CASE)
#undef CASE
    default:
        return "UNKNOWN";
    }
}

int sc_error_from_errno(int errnum)
{
    switch (errnum) {
    case 0:
        return SC_OK;
    case ENOENT:
    case ENOTDIR:
        return SC_ENOTFOUND;
    case EEXIST:
        return SC_EEXISTS;
    case ENOSPC:
    case EDQUOT:
        return SC_ENOSPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return SC_EDENIED;
    case ENOMEM:
        return SC_ENOMEM;
    case EAGAIN:
    case EINTR:
        return SC_EAGAIN;
    case ETIMEDOUT:
        return SC_ETIMEOUT;
    case EINVAL:
    case EISDIR:
        return SC_EARG;
    default:
        return SC_EIO;
    }
}

static void fill(sc_err *err, int code, const char *field, const char *fmt, va_list ap)
{
    if (!err || err->code != SC_OK)
        return;
    err->code = code;
    snprintf(err->field, sizeof(err->field), "%s", field);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int sc_fail(sc_err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, "", fmt, ap);
    va_end(ap);
    return code;
}

int sc_fail_field(sc_err *err, int code, const char *field, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, field, fmt, ap);
    va_end(ap);
    return code;
}

const char *sc_err_text(const sc_err *err, int code)
{
    return err && err->text[0] ? err->text : sc_strerror(code);
}
