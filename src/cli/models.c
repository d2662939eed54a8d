// saccade models: lists detectors; its `fetch` is in models_fetch.c.
#include <dirent.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/app.h"
#include "app/models.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/json_file.h"
#include "cli/known_models.h"
#include "cli/models_fetch.h"
#include "cli/settings.h"

extern const struct sc_command sc_cmd_models;

#define MAX_SIZE_DEFAULT                                                                       \
    (INT64_C(2) << 30) // a protobuf message, hence an ONNX file, is no larger

// --- listing ------------------------------------------------------------------------------

// What is said of a model; path NULL = it is not here.
static json_t *describe(const char *name, const char *path, const json_t *about,
                        const struct sc_known_model *known)
{
    static const struct sc_known_model unknown = {0};
    struct stat st;
    if (!known)
        known = &unknown;
    json_t *row = json_object();
    const char *state = path ? "here" : known->url ? "to fetch" : "to export";
    const char *licence = sc_json_text(about, "licence");
    sc_json_set_text(row, "name", name);
    sc_json_set_text(row, "state", state);
    if (path && !stat(path, &st))
        json_object_set_new(row, "bytes", json_integer(st.st_size));
    if (known->size)
        json_object_set_new(row, "size", json_integer(known->size));
    sc_json_set_text(row, "licence", *licence ? licence : known->licence);
    sc_json_set_text(row, "path", path);
    sc_json_set_text(row, "url", path ? sc_json_text(about, "url") : known->url);
    sc_json_set_text(row, "sha256", path ? sc_json_text(about, "sha256") : known->sha256);
    sc_json_set_text(row, "project", known->project);
    sc_json_set_text(row, "how", path ? NULL : known->how);
    return row;
}

static void print_row(json_t *row, bool json)
{
    if (json) {
        sc_json_print_line(row);
    } else {
        const char *where = sc_json_text(row, "path");
        where = *where ? where : sc_json_text(row, "url");
        printf("%-16s %-10s %-11s %s\n", sc_json_text(row, "name"), sc_json_text(row, "state"),
               sc_json_text(row, "licence"), *where ? where : sc_json_text(row, "project"));
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
        char *path = sc_models_path(folder, name, ".onnx"),
             *beside = sc_models_path(folder, name, ".json");
        json_t *about = sc_json_file_load(beside);
        print_row(describe(name, path, about, sc_known_model_find(name)), json);
        json_decref(about);
        free(beside);
        free(path);
        free(files[i]);
    }
    free(files);
    for (const struct sc_known_model *known = sc_known_models; known->name; known++) {
        char *path = sc_models_path(folder, known->name, ".onnx");
        if (access(path, F_OK))
            print_row(describe(known->name, NULL, NULL, known), json);
        free(path);
    }
    if (!json)
        puts("\n`saccade models fetch NAME` fetches one, or says how to export it; an address "
             "does too");
}

// --- the command --------------------------------------------------------------------------

static bool parse_value(struct sc_fetch_args *args, int c, const char *value)
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

static int parse(struct sc_fetch_args *args, int argc, char **argv)
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
    sc_err err = {0};
    struct sc_fetch_args args = {.max_size = MAX_SIZE_DEFAULT, .retries = 4, .stall_s = 30};
    sc_options *options = NULL;
    int status = sc_cli_settings(&sc_cmd_models, &options, &argc, argv);
    if (!status)
        status = parse(&args, argc, argv);
    if (!status) {
        const struct sc_app_settings *app = sc_options_get(options, &sc_app_options);
        const struct sc_models_settings *models = sc_options_get(options, &sc_models_options);
        char *folder = *models->dir ? sc_xstrdup(models->dir)
                                    : sc_models_path(app->data_dir, "models", "");
        int ret = SC_OK;
        if (args.what)
            ret = sc_models_fetch(&args, folder, &err);
        else
            list(folder, args.json);
        status = ret < 0 ? sc_cli_fail(&sc_cmd_models, &err, ret) : 0;
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
        "  --json          JSON lines\n\n"
        "Servers' certificates are checked; SSL_CERT_FILE names other authorities, and\n"
        "https_proxy a proxy.\n",
    .run = run,
};
