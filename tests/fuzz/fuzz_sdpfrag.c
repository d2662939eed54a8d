// Fragments of trickled candidates: what is taken is an address, and is taken again as it is.
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "rtc/offer.h"

static void check_candidate(const struct sc_rtc_candidate *candidate)
{
    sc_rtc_fragment again;
    char line[sizeof(candidate->text) + 4];
    int size = snprintf(line, sizeof(line), "a=%s", candidate->text);
    sc_require(!sc_rtc_fragment_parse(&again, line, (size_t)size, NULL));
    sc_require(again.count == 1 && !strcmp(again.candidates[0].text, candidate->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sc_rtc_fragment fragment;
    sc_err err = {0};
    int ret = sc_rtc_fragment_parse(&fragment, (const char *)data, size, &err);
    sc_require(ret == SC_OK || (ret == SC_EARG && err.text[0]));
    sc_require(fragment.count >= 0 && fragment.count <= SC_RTC_CANDIDATES);
    sc_require(!fragment.ufrag[0] == !fragment.pwd[0]);
    for (int i = 0; !ret && i < fragment.count; i++)
        check_candidate(&fragment.candidates[i]);
    return 0;
}
