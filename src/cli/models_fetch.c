// saccade models fetch: gets a detector, checks it, keeps it.
#include "cli/models_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/models.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/download.h"
#include "cli/json_file.h"
#include "cli/known_models.h"

struct fetch {
    const struct sc_fetch_args *args;
    const struct sc_known_model *known; // NULL = an address was given
    const char *url;
    char name[65];
    const char *folder;                // DATA-DIR/models
    char *model, *part, *about, *pins; // NAME.onnx, NAME.onnx.part, NAME.json, pins.json
    char expected[65];                 // SHA-256, "" = not known
    const char *expected_from;
    char sha256[65];
    int64_t size, resumed;
};

char *sc_models_path(const char *folder, const char *name, const char *end)
{
    sc_str path = {0};
    sc_str_addf(&path, "%s/%s%s", folder, name, end);
    return sc_str_detach(&path);
}

// --- what to fetch ------------------------------------------------------------------------

static int check_address(const char *url, sc_err *err)
{
    bool http = !strncasecmp(url, "http://", 7), https = !strncasecmp(url, "https://", 8);
    if (!http && !https)
        return sc_fail(err, SC_EARG,
                       "'%s' is no well-known model and no http or https address; `saccade "
                       "models` lists those",
                       url);
    const char *host = url + (https ? 8 : 7);
    if (memchr(host, '@', strcspn(host, "/?#")))
        return sc_fail(err, SC_EARG, "leave user and password out: addresses are kept on disk");
    return SC_OK;
}

// The last part of the address without ".onnx".
static void name_from(const char *url, char name[65])
{
    size_t end = strcspn(url, "?#"), start = end;
    while (start && url[start - 1] != '/')
        start--;
    if (end - start > 5 && !strncasecmp(url + end - 5, ".onnx", 5))
        end -= 5;
    snprintf(name, 65, "%.*s", end - start < 65 ? (int)(end - start) : 0, url + start);
}

static int find_source(struct fetch *f, sc_err *err)
{
    const struct sc_fetch_args *args = f->args;
    f->known = sc_known_model_find(args->what);
    f->url = f->known ? f->known->url : args->what;
    if (f->known && !f->url)
        return sc_fail(err, SC_EUNSUPPORTED,
                       "%s publishes no ONNX file of it; make one and put it into %s as "
                       "%s.onnx: %s",
                       f->known->project, f->folder, f->known->name, f->known->how);
    int ret = check_address(f->url, err);
    if (ret < 0)
        return ret;
    if (args->name)
        snprintf(f->name, sizeof(f->name), "%s", strlen(args->name) < 65 ? args->name : "");
    else if (f->known)
        snprintf(f->name, sizeof(f->name), "%s", f->known->name);
    else
        name_from(f->url, f->name);
    if (!sc_model_name_valid(f->name))
        return sc_fail(
            err, SC_EARG,
            "give a --name of 1 to 64 characters of A-Z a-z 0-9 _ . -, other than pins");
    f->model = sc_models_path(f->folder, f->name, ".onnx");
    f->part = sc_models_path(f->folder, f->name, ".onnx.part");
    f->about = sc_models_path(f->folder, f->name, ".json");
    f->pins = sc_models_path(f->folder, "pins", ".json");
    return SC_OK;
}

// What the file has to be: as the user says, as is published, or as it was the first time.
static void find_expected(struct fetch *f)
{
    json_t *pins = sc_json_file_load(f->pins);
    const char *pinned = sc_json_text(json_object_get(pins, f->url), "sha256");
    const char *published = f->known && f->known->sha256 ? f->known->sha256 : "";
    const char *expected = f->args->sha256 ? f->args->sha256 : *published ? published : pinned;
    f->expected_from = f->args->sha256 ? "as asked for"
                       : *published    ? "as published"
                                       : "as first seen";
    snprintf(f->expected, sizeof(f->expected), "%s", expected);
    json_decref(pins);
}

// --- fetching -----------------------------------------------------------------------------

static int make_folder(const char *path, sc_err *err)
{
    char *part = sc_xstrdup(path);
    int ret = SC_OK;
    for (char *end = part; ret == SC_OK && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char kept = *end;
        *end = '\0';
        if (mkdir(part, 0750) < 0 && errno != EEXIST)
            ret = sc_fail(err, sc_error_from_errno(errno), "%s: %s", part, strerror(errno));
        *end = kept;
    }
    free(part);
    return ret;
}

// *there: the file wanted is here already.
static int check_there(struct fetch *f, bool *there, sc_err *err)
{
    struct stat st;
    *there = false;
    if (stat(f->model, &st) < 0 || f->args->force)
        return SC_OK;
    int ret = sc_sha256_file(f->model, f->sha256, err);
    if (ret < 0)
        return ret;
    f->size = st.st_size;
    *there = f->expected[0] && !strcasecmp(f->expected, f->sha256);
    if (*there)
        return SC_OK;
    return sc_fail(err, SC_EEXISTS, "%s is there and %s; --force replaces it", f->model,
                   f->expected[0] ? "is another file than expected"
                                  : "nothing says whether it is this one");
}

static int download(struct fetch *f, sc_err *err)
{
    struct sc_progress progress;
    struct sc_download_result result;
    sc_progress_init(&progress, f->name, f->args->json);
    int ret = sc_download(
        &(struct sc_download_params){
            .url = f->url,
            .path = f->part,
            .max_size = f->args->max_size,
            .stall_s = (int)f->args->stall_s,
            .retries = (int)f->args->retries,
            .cancel = sc_cli_cancel(),
            .progress = sc_progress_update,
            .progress_arg = &progress,
        },
        &result, err);
    sc_progress_done(&progress);
    f->size = result.size;
    f->resumed = result.resumed;
    return ret;
}

// A page that says "log in" often comes with status 200.
static int check_kind(const struct fetch *f, sc_err *err)
{
    FILE *file = fopen(f->part, "re");
    int first = file ? fgetc(file) : EOF;
    if (file)
        fclose(file);
    if (first == EOF)
        return sc_fail(err, SC_EDATA, "%s: the server sent nothing", f->url);
    if (first == '<' || first == '{')
        return sc_fail(err, SC_EDATA, "%s: the server sent a page, not a model", f->url);
    return SC_OK;
}

static int check_file(struct fetch *f, sc_err *err)
{
    int ret = check_kind(f, err);
    if (ret == SC_OK)
        ret = sc_sha256_file(f->part, f->sha256, err);
    if (ret == SC_OK && f->expected[0] && strcasecmp(f->expected, f->sha256) != 0)
        ret = sc_fail(err, SC_EDATA,
                      "%s has SHA-256 %s, not %s %s: it was not kept. If you trust the new "
                      "file, give its hash with --sha256",
                      f->name, f->sha256, f->expected, f->expected_from);
    if (ret < 0)
        sc_download_remove(f->part);
    return ret;
}

static int save_pin(const struct fetch *f, const char *now, sc_err *err)
{
    json_t *pins = sc_json_file_load(f->pins);
    json_object_set_new(pins, f->url,
                        json_pack("{s:s, s:I, s:s}", "sha256", f->sha256, "bytes",
                                  (json_int_t)f->size, "seen", now));
    int ret = sc_json_file_save(f->pins, pins, err);
    json_decref(pins);
    return ret;
}

// Keeps what the user wrote there (threshold, size).
static int save_about(const struct fetch *f, const char *now, sc_err *err)
{
    json_t *about = sc_json_file_load(f->about);
    sc_json_set_text(about, "name", f->name);
    sc_json_set_text(about, "url", f->url);
    sc_json_set_text(about, "sha256", f->sha256);
    json_object_set_new(about, "bytes", json_integer(f->size));
    sc_json_set_text(about, "fetched", now);
    json_object_del(about, "licence"); // of the file before, perhaps
    sc_json_set_text(about, "licence", f->known ? f->known->licence : NULL);
    int ret = sc_json_file_save(f->about, about, err);
    json_decref(about);
    return ret;
}

// The model comes last: where it is, all that belongs to it is.
static int keep(const struct fetch *f, sc_err *err)
{
    char now[32];
    int folder = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || flock(folder, LOCK_EX) < 0) // pins.json has several writers
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s", f->folder, strerror(errno));
    sc_clock_format(now, sc_clock_wall());
    int ret = save_pin(f, now, err);
    if (ret == SC_OK)
        ret = save_about(f, now, err);
    if (ret == SC_OK && (rename(f->part, f->model) < 0 || fsync(folder) < 0))
        ret = sc_fail(err, sc_error_from_errno(errno), "%s: %s", f->model, strerror(errno));
    if (ret == SC_OK)
        sc_download_remove(f->part); // what is left of it
    close(folder);
    return ret;
}

static void print_result(const struct fetch *f, bool there)
{
    char size[32];
    if (f->args->json) {
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:b}", "name", f->name, "path", f->model,
                      "url", f->url, "bytes", (json_int_t)f->size, "sha256", f->sha256,
                      "resumed", (json_int_t)f->resumed, "fetched", !there);
        sc_json_print_line(row);
        json_decref(row);
        return;
    }
    printf("%s: %s, %s\n", f->model, sc_format_size(size, sizeof(size), f->size),
           there            ? "is there already"
           : f->expected[0] ? "checked"
                            : "new: later fetches of that address are checked against it");
    printf("SHA-256 %s\n", f->sha256);
}

static int fetch_steps(struct fetch *f, sc_err *err)
{
    bool there = false;
    int ret = find_source(f, err);
    if (ret == SC_OK)
        ret = make_folder(f->folder, err);
    if (ret < 0)
        return ret;
    find_expected(f);
    ret = check_there(f, &there, err);
    if (ret == SC_OK && !there)
        ret = download(f, err);
    if (ret == SC_OK && !there)
        ret = check_file(f, err);
    if (ret == SC_OK && !there)
        ret = keep(f, err);
    if (ret == SC_OK)
        print_result(f, there);
    return ret;
}

int sc_models_fetch(const struct sc_fetch_args *args, const char *folder, sc_err *err)
{
    struct fetch f = {.args = args, .folder = folder};
    int ret = fetch_steps(&f, err);
    free(f.model);
    free(f.part);
    free(f.about);
    free(f.pins);
    return ret;
}
