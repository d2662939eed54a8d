// Where the build put the graphs of graphs.py, and the larger files beside the sources.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/test.h"

// GRAPHS_DIR/NAME.onnx; the caller frees it.
static inline char *graph_path(const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s.onnx", GRAPHS_DIR, name) < 0)
        abort();
    return path;
}

// Why there are no graphs, or NULL. Print it and skip().
static inline const char *graphs_missing(void)
{
    static char why[256];
    FILE *file = fopen(GRAPHS_DIR "/SKIP", "r");
    if (!file)
        return NULL;
    why[fread(why, 1, sizeof(why) - 1, file)] = '\0';
    fclose(file);
    return why;
}

// Skips the test where the graphs could not be made.
#define NEED_GRAPHS()                                                                          \
    do {                                                                                       \
        if (graphs_missing()) {                                                                \
            print_message("%s\n", graphs_missing());                                           \
            skip();                                                                            \
        }                                                                                      \
    } while (0)

// Skips the test where MEDIA_DIR (shared/media beside the checkout) lacks the file.
#define NEED_MEDIA(name)                                                                       \
    do {                                                                                       \
        if (access(MEDIA_DIR "/" name, R_OK)) {                                                \
            print_message(MEDIA_DIR "/" name " is not there\n");                               \
            skip();                                                                            \
        }                                                                                      \
    } while (0)
