#include "cli/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/mem.h>
#include <libavutil/sha.h>

#include "base/mem.h"
#include "base/str.h"

json_t *sc_json_file_load(const char *path)
{
    json_t *object = json_load_file(path, 0, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return json_object();
}

static int write_synced(const char *path, const json_t *object)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return -1;
    int ret = json_dumpf(object, file, JSON_INDENT(2));
    if (fputc('\n', file) == EOF || fflush(file) || fsync(fileno(file)))
        ret = -1;
    return fclose(file) ? -1 : ret;
}

int sc_json_file_save(const char *path, const json_t *object, sc_err *err)
{
    sc_str temporary = {0};
    int ret = SC_OK;
    sc_str_addf(&temporary, "%s.%ld.tmp", path, (long)getpid());
    if (write_synced(temporary.s, object) < 0 || rename(temporary.s, path) < 0) {
        ret = sc_fail(err, sc_error_from_errno(errno), "%s: %s", path, strerror(errno));
        unlink(temporary.s);
    }
    sc_str_release(&temporary);
    return ret;
}

const char *sc_json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

void sc_json_set_text(json_t *object, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(object, key, json_string(text));
}

void sc_json_print_line(const json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

int sc_sha256_file(const char *path, char hex[65], sc_err *err)
{
    uint8_t buffer[1 << 16], digest[32];
    FILE *file = fopen(path, "re");
    if (!file)
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s", path, strerror(errno));
    struct AVSHA *sha = av_sha_alloc();
    sc_require(sha);
    av_sha_init(sha, 256);
    size_t got;
    while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0)
        av_sha_update(sha, buffer, got);
    int failed = ferror(file);
    av_sha_final(sha, digest);
    av_free(sha);
    fclose(file);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return failed ? sc_fail(err, SC_EIO, "%s cannot be read", path) : SC_OK;
}
