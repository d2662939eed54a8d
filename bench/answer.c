#include "answer.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

double answer_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

int answer_fail(char error[256], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(error, 256, fmt, args);
    va_end(args);
    return -1;
}

static int dispatch(const struct answer_verb *verbs, void *state, char *line, double *number,
                    char error[256])
{
    line[strcspn(line, "\n")] = 0;
    char *argument = line + strcspn(line, " ");
    if (*argument)
        *argument++ = 0;
    for (; verbs->name; verbs++) {
        if (strcmp(verbs->name, line) == 0)
            return verbs->run(state, argument, number, error);
    }
    return answer_fail(error, "unknown verb %.100s", line);
}

void answer_loop(const struct answer_verb *verbs, void *state)
{
    char line[4096];
    while (fgets(line, sizeof(line), stdin)) {
        double number = 0;
        char error[256] = "failed";
        if (dispatch(verbs, state, line, &number, error) == 0)
            printf("ok %.6f\n", number);
        else
            printf("error %s\n", error);
        fflush(stdout);
    }
}
