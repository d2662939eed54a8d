// saccade models: lists detectors, fetches them for the user.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/download.h"
#include "cli/json_file.h"
#include "cli/known_models.h"
#include "cli/settings.h"

extern const struct sc_command sc_cmd_models;

#define MAX_SIZE_DEFAULT                                                                       \
    (INT64_C(2) << 30) // a protobuf message, hence an ONNX file, is no larger

struct args {
    const char *what; // a well-known name or an address; NULL = list
    const char *name, *sha256;
    int64_t max_size, retries, stall_s;
    bool force, json;
};

struct fetch {
    const struct args *args;
    const struct sc_known_model *known; // NULL = an address was given
    const char *url;
    char name[65];
    char *folder;                      // DATA-DIR/models
    char *model, *part, *about, *pins; // NAME.onnx, NAME.onnx.part, NAME.json, pins.json
    char expected[65];                 // SHA-256, "" = not known
    const char *expected_from;
    char sha256[65];
    int64_t size, resumed;
};

static char *join(const char *folder, const char *name, const char *end)
{
    sc_str path = {0};
    sc_str_addf(&path, "%s/%s%s", folder, name, end);
    return sc_str_detach(&path);
}

// --- listing ------------------------------------------------------------------------------

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void add_text(json_t *row, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(row, key, json_string(text));
}

// What is said of a model; path NULL = it is not here.
static json_t *describe(const char *name, const char *path, const json_t *about,
                        const struct sc_known_model *known)
{
    struct stat st;
    json_t *row = json_object();
    const char *state = path ? "here" : known->url ? "to fetch" : "to export";
    const char *licence = text_of(about, "licence");
    add_text(row, "name", name);
    add_text(row, "state", state);
    if (path && !stat(path, &st))
        json_object_set_new(row, "bytes", json_integer(st.st_size));
    if (known)
        json_object_set_new(row, "size", json_integer(known->size));
    add_text(row, "licence", *licence || !known ? licence : known->licence);
    add_text(row, "path", path);
    add_text(row, "url", path ? text_of(about, "url") : known->url);
    add_text(row, "sha256", path ? text_of(about, "sha256") : known->sha256);
    add_text(row, "project", known ? known->project : NULL);
    add_text(row, "how", known && !path ? known->how : NULL);
    return row;
}

static void print_row(json_t *row, bool json)
{
    if (json) {
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        const char *where = text_of(row, "path");
        where = *where ? where : text_of(row, "url");
        printf("%-16s %-10s %-11s %s\n", text_of(row, "name"), text_of(row, "state"),
               text_of(row, "licence"), *where ? where : text_of(row, "project"));
    }
    json_decref(row);
}

static int is_model(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && !strcmp(entry->d_name + length - 5, ".onnx");
}

static void list(const char *folder, bool json)
{
    struct dirent **files = NULL;
    int count = scandir(folder, &files, is_model, alphasort);
    for (int i = 0; i < count; i++) {
        char *name = files[i]->d_name;
        name[strlen(name) - 5] = '\0';
        char *path = join(folder, name, ".onnx"), *beside = join(folder, name, ".json");
        json_t *about = sc_json_file_load(beside);
        print_row(describe(name, path, about, sc_known_model_find(name)), json);
        json_decref(about);
        free(beside);
        free(path);
        free(files[i]);
    }
    free(files);
    for (const struct sc_known_model *known = sc_known_models; known->name; known++) {
        char *path = join(folder, known->name, ".onnx");
        if (access(path, F_OK))
            print_row(describe(known->name, NULL, NULL, known), json);
        free(path);
    }
    if (!json)
        puts("\n`saccade models fetch NAME` fetches one, or says how to export it; an address "
             "does too");
}

// --- what to fetch ------------------------------------------------------------------------

static bool good_name(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789_.-");
    return length && length <= 64 && !name[length] && *name != '.';
}

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
    const struct args *args = f->args;
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
    if (!good_name(f->name))
        return sc_fail(err, SC_EARG,
                       "give a --name of 1 to 64 characters of A-Z a-z 0-9 _ . -");
    f->model = join(f->folder, f->name, ".onnx");
    f->part = join(f->folder, f->name, ".onnx.part");
    f->about = join(f->folder, f->name, ".json");
    f->pins = join(f->folder, "pins", ".json");
    return SC_OK;
}

// What the file has to be: as the user says, as is published, or as it was the first time.
static void find_expected(struct fetch *f)
{
    json_t *pins = sc_json_file_load(f->pins);
    const char *pinned = text_of(json_object_get(pins, f->url), "sha256");
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
    add_text(about, "name", f->name);
    add_text(about, "url", f->url);
    add_text(about, "sha256", f->sha256);
    json_object_set_new(about, "bytes", json_integer(f->size));
    add_text(about, "fetched", now);
    json_object_del(about, "licence"); // of the file before, perhaps
    add_text(about, "licence", f->known ? f->known->licence : NULL);
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
        print_row(row, true);
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

static int fetch(const struct args *args, const char *folder)
{
    struct fetch f = {.args = args, .folder = sc_xstrdup(folder)};
    sc_err err = {0};
    int ret = fetch_steps(&f, &err);
    free(f.folder);
    free(f.model);
    free(f.part);
    free(f.about);
    free(f.pins);
    return ret < 0 ? sc_cli_fail(&sc_cmd_models, &err, ret) : 0;
}

// --- the command --------------------------------------------------------------------------

static bool parse_value(struct args *args, int c, const char *value)
{
    switch (c) {
    case 'n':
        args->name = value;
        return true;
    case 's':
        args->sha256 = value;
        return strlen(value) == 64 && strspn(value, "0123456789abcdefABCDEF") == 64;
    case 'm':
        return sc_parse_size(value, 1, INT64_MAX, &args->max_size);
    case 'r':
        return sc_parse_int(value, 0, 100, &args->retries);
    case 't':
        return sc_parse_int(value, 1, 86400, &args->stall_s);
    case 'f':
        return args->force = true;
    case 'j':
        return args->json = true;
    default:
        return false;
    }
}

static int parse(struct args *args, int argc, char **argv)
{
    static const struct option flags[] = {
        {"name", required_argument, NULL, 'n'},     {"sha256", required_argument, NULL, 's'},
        {"max-size", required_argument, NULL, 'm'}, {"retries", required_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 't'},  {"force", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},           {0},
    };
    int c, index = 0;
    while ((c = getopt_long(argc, argv, "", flags, &index)) != -1) {
        if (c == '?')
            return sc_cli_usage(&sc_cmd_models, "unknown or incomplete option");
        if (!parse_value(args, c, optarg))
            return sc_cli_usage(&sc_cmd_models, "'%s' is no good value of --%s", optarg,
                                flags[index].name);
    }
    if (optind == argc)
        return 0;
    if (strcmp(argv[optind], "fetch") != 0)
        return sc_cli_usage(&sc_cmd_models, "there is no 'models %s'", argv[optind]);
    if (optind + 2 != argc)
        return sc_cli_usage(&sc_cmd_models, "fetch needs one NAME or URL");
    args->what = argv[optind + 1];
    return 0;
}

static int run(int argc, char **argv)
{
    struct args args = {.max_size = MAX_SIZE_DEFAULT, .retries = 4, .stall_s = 30};
    sc_options *options = NULL;
    int status = sc_cli_settings(&sc_cmd_models, &options, &argc, argv);
    if (!status)
        status = parse(&args, argc, argv);
    if (!status) {
        const struct sc_app_settings *settings = sc_options_get(options, &sc_app_options);
        char *folder = join(settings->data_dir, "models", "");
        if (args.what)
            status = fetch(&args, folder);
        else
            list(folder, args.json);
        free(folder);
    }
    sc_options_free(&options);
    return status;
}

const struct sc_command sc_cmd_models = {
    .name = "models",
    .summary = "lists detectors; fetches them (models fetch NAME|URL)",
    .help =
        "usage: saccade models [--json] [--data-dir DIR]\n"
        "       saccade models fetch NAME|URL [--name N] [--sha256 HEX] [--max-size 2G]\n"
        "                      [--retries 4] [--timeout 30] [--force] [--json] [--data-dir "
        "DIR]\n"
        "\n"
        "Lists the detectors in DATA-DIR/models and those that are well known; fetches one of\n"
        "them, or an ONNX file at any http or https address, into DATA-DIR/models/NAME.onnx, "
        "with\n"
        "its address, hash and licence in NAME.json. One that is cut goes on where it ended.\n"
        "\n"
        "The hash has to be the one given or published; where there is none, the first one "
        "seen\n"
        "at an address is kept in DATA-DIR/models/pins.json and later fetches are held to it.\n"
        "\n"
        "  --name N        what to call it; default its well-known name or the address's last "
        "part\n"
        "  --sha256 HEX    what its SHA-256 has to be\n"
        "  --max-size N    refuse larger files\n"
        "  --retries N     after cuts, stalls and failures of the server\n"
        "  --timeout S     seconds without a byte that make a stall\n"
        "  --force         replace a file of that name\n"
        "  --json          JSON lines\n",
    .run = run,
};
