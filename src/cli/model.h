// A detector for commands: flags that several of them take, ONNX Runtime, the model. What the flags
// leave open, NAME.labels and NAME.json beside NAME.onnx say, as for the server (app/models.h).
//
// Thread-safety: Unsafe; after opening, the model as vision/model.h says.
#pragma once

#include <getopt.h>

#include "base/log.h"
#include "cli/command.h"
#include "vision/model.h"

struct sc_cli_model_args {
    const char *path;    // or the name of one in the models folder; NULL = no model
    const char *labels;  // a file, NULL = the model's own
    const char *library; // of ONNX Runtime, NULL = look for it
    double threshold;    // 0 = the model's
    enum sc_provider provider;
    int threads; // of a run on the CPU, 0 = all cores
};

// Rows for getopt_long's table; their values are above all characters.
enum { SC_MODEL_FLAG = 1000, SC_MODEL_FLAG_END = SC_MODEL_FLAG + 6 };
#define SC_CLI_MODEL_FLAGS                                                                     \
    {"model", required_argument, NULL, SC_MODEL_FLAG},                                         \
        {"labels", required_argument, NULL, SC_MODEL_FLAG + 1},                                \
        {"threshold", required_argument, NULL, SC_MODEL_FLAG + 2},                             \
        {"provider", required_argument, NULL, SC_MODEL_FLAG + 3},                              \
        {"threads", required_argument, NULL, SC_MODEL_FLAG + 4},                               \
    {                                                                                          \
        "library", required_argument, NULL, SC_MODEL_FLAG + 5                                  \
    }
#define SC_CLI_MODEL_HELP                                                                      \
    "  --labels FILE     names of the classes, one a line; else NAME.labels, the model's "     \
    "own\n"                                                                                    \
    "  --threshold X     least score, 0.05 to 1; else NAME.json, the model's own\n"            \
    "  --provider P      auto (default), cpu, cuda, tensorrt, webgpu\n"                        \
    "  --threads N       of a run on the CPU; all cores by default\n"                          \
    "  --library FILE    libonnxruntime.so.1, where it is not found by itself\n"
// Takes flag c. Returns 0, or 2 after saying what is wrong.
int sc_cli_model_flag(const struct sc_command *cmd, struct sc_cli_model_args *args, int c,
                      const char *value);

struct sc_cli_model {
    char *path;
    sc_log *log;
    sc_onnx *onnx;
    sc_model *model;
    const struct sc_model_info *info;
    double threshold; // the one that counts
    bool chosen;      // the provider was ours to choose
};
// SC_ENOTFOUND and others; close it in any case.
int sc_cli_model_open(struct sc_cli_model *model, const struct sc_cli_model_args *args,
                      sc_err *err);
void sc_cli_model_close(struct sc_cli_model *model);
