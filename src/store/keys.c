#include "store/keys.h"

#include "base/mem.h"
#include "store/keys_internal.h"

enum { MAX_KEY = 255, MAX_VALUE = 65535 };

static const sc_keys_backend *const backends[] = {&sc_keys_memory};

static bool fits(const char *text, size_t max)
{
    return strnlen(text, max + 1) <= max;
}

int sc_keys_open(sc_keys **pkeys, const struct sc_keys_params *params, sc_err *err)
{
    *pkeys = NULL;
    for (size_t i = 0; i < SC_COUNT(backends); i++) {
        if (!strcmp(backends[i]->name, params->backend))
            return backends[i]->open(pkeys, params, err);
    }
    return sc_fail(err, SC_EARG, "there is no key store called \"%.40s\"; use memory",
                   params->backend);
}

void sc_keys_close(sc_keys **pkeys)
{
    if (!pkeys || !*pkeys)
        return;
    (*pkeys)->backend->close(*pkeys);
    *pkeys = NULL;
}

int sc_keys_set(sc_keys *keys, const char *key, const char *value, int64_t ttl_ns)
{
    if (!fits(key, MAX_KEY) || !fits(value, MAX_VALUE))
        return SC_ELIMIT;
    return keys->backend->set(keys, key, value, ttl_ns);
}

int sc_keys_get(sc_keys *keys, const char *key, char **value)
{
    *value = NULL;
    if (!fits(key, MAX_KEY))
        return SC_ELIMIT;
    return keys->backend->get(keys, key, value);
}

int sc_keys_delete(sc_keys *keys, const char *key)
{
    if (!fits(key, MAX_KEY))
        return SC_ELIMIT;
    return keys->backend->remove(keys, key);
}

int sc_keys_add(sc_keys *keys, const char *key, int64_t delta, int64_t ttl_ns, int64_t *sum)
{
    *sum = 0;
    if (!fits(key, MAX_KEY))
        return SC_ELIMIT;
    return keys->backend->add(keys, key, delta, ttl_ns, sum);
}
