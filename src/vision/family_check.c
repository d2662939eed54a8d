// Looking at what a run gave.
#include "vision/family_internal.h"

#include <math.h>

#include "base/mem.h"
#include "base/str.h"

static bool fits(int64_t size, int64_t wanted)
{
    return wanted < 0 ? size > 0 : size == wanted;
}

static void add_size(sc_str *out, int64_t size)
{
    if (size < 0)
        sc_str_add(out, "any");
    else
        sc_str_addf(out, "%lld", (long long)size);
}

static int fail_shape(const struct sc_tensor *t, const char *what, const int64_t *wanted,
                      int rank, sc_err *err)
{
    sc_str text = {0};
    for (int i = 0; i < t->rank; i++)
        sc_str_addf(&text, "%s%lld", i ? "," : "", (long long)t->dims[i]);
    sc_str_add(&text, ") instead of (");
    for (int i = 0; i < rank; i++) {
        sc_str_add(&text, i ? "," : "");
        add_size(&text, wanted[i]);
    }
    sc_fail(err, SC_EDATA, "the model's first run gave %s of size (%s)", what,
            sc_str_get(&text));
    sc_str_release(&text);
    return SC_EDATA;
}

int sc_check_shape(const struct sc_tensor *t, const char *what, int rank, int64_t d0,
                   int64_t d1, int64_t d2, sc_err *err)
{
    const int64_t wanted[] = {d0, d1, d2};
    sc_require(rank <= 3);
    bool good = t->rank == rank;
    for (int i = 0; good && i < rank; i++)
        good = fits(t->dims[i], wanted[i]);
    return good ? SC_OK : fail_shape(t, what, wanted, rank, err);
}

int sc_check_unit(const float *v, size_t count, const char *what, sc_err *err)
{
    for (size_t i = 0; i < count; i++)
        if (!(v[i] >= -1e-3f && v[i] <= 1.001f))
            return sc_fail(err, SC_EDATA, "the model's first run gave %s of %g, outside 0..1",
                           what, (double)v[i]);
    return SC_OK;
}

int sc_check_normalised(const float *v, size_t rows, size_t step, sc_err *err)
{
    size_t odd = 0;
    for (size_t i = 0; i < rows; i++) {
        const float *box = v + i * step;
        bool good = true;
        for (int k = 0; k < 4; k++)
            good = good && fabsf(box[k]) <= 2; // a little beyond the picture's border
        odd += !good;
    }
    if (odd * 2 <= rows)
        return SC_OK;
    return sc_fail(err, SC_EDATA,
                   "the model's first run gave boxes that are no parts of the picture (0..1): "
                   "%zu of %zu",
                   odd, rows);
}

int sc_check_class(const struct sc_contract *contract, double class, sc_err *err)
{
    int classes = contract->classes ? contract->classes : SC_MODEL_MAX_CLASSES;
    if (class >= 0 && class < classes && class == floor(class))
        return SC_OK;
    return sc_fail(err, SC_EDATA, "the model gave class %g, where whole numbers below %d fit",
                   class, classes);
}

int sc_best(const float *v, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (v[i] > v[best])
            best = i;
    return best;
}
