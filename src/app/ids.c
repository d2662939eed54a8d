#include "app/ids.h"

#include <string.h>
#include <sys/random.h>

bool sc_id_valid(const char *id)
{
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n && n <= 64 && !id[n];
}

int sc_id_random(char id[65], sc_err *err)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; // 32
    unsigned char bytes[12];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return sc_fail(err, SC_EIO, "the system gives no random numbers");
    for (size_t i = 0; i < sizeof(bytes); i++)
        id[i] = letters[bytes[i] & 31];
    id[sizeof(bytes)] = 0;
    return SC_OK;
}
