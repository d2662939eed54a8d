// How the driver talks to the programs it measures: a line in, a line out.
//
// A program reads lines "VERB ARGUMENT" from standard input and answers each with
// "ok NUMBER" or "error TEXT". It stays alive between them, so that the driver can interleave the
// programs it compares, piece by piece, and noise of the machine hits all of them alike.
//
// Thread-safety: Unsafe; one thread.
#pragma once

#include <stdio.h>

struct answer_verb {
    const char *name;
    // Returns 0 with *number set, or non-zero with the reason in error.
    int (*run)(void *state, const char *argument, double *number, char error[256]);
};

// Serves standard input until it ends. verbs end with one that has no name.
void answer_loop(const struct answer_verb *verbs, void *state);

// Writes the reason and returns -1.
int answer_fail(char error[256], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

double answer_now_ms(void); // monotonic
