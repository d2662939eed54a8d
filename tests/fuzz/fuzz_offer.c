// Offers of WebRTC: what is taken is written, read again and written as before; answers of any kind are mended or refused.
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "rtc/offer.h"

static void check_media(const sc_rtc_offer *offer, int index, enum sc_rtc_kind kind)
{
    sc_require(index < offer->count);
    if (index < 0)
        return;
    sc_require(!offer->media[index].rejected && offer->media[index].kind == kind);
    sc_require(offer->media[index].mid[0]);
}

static void check_offer(const sc_rtc_offer *offer)
{
    sc_require(offer->count > 0 && offer->count <= SC_RTC_MEDIA_MAX && offer->video >= 0);
    check_media(offer, offer->video, SC_RTC_VIDEO);
    check_media(offer, offer->audio, SC_RTC_AUDIO);
    check_media(offer, offer->data, SC_RTC_DATA);
    sc_require(offer->fingerprint_size >= 32 && offer->ufrag[0] && offer->pwd[0]);
    for (int i = 0; i < offer->candidate_count; i++)
        sc_require(!strstr(offer->candidates[i].text, ".local"));
}

static void try_codec(const sc_rtc_offer *offer, enum sc_rtc_codec codec, const char *answer)
{
    sc_rtc_offer *again;
    if (sc_rtc_offer_choose(offer, 1u << codec) != codec)
        return;
    char *text = sc_rtc_offer_text(offer, codec);
    sc_require(!sc_rtc_offer_parse(&again, text, strlen(text), offer->role, NULL));
    check_offer(again);
    char *twice = sc_rtc_offer_text(again, codec);
    sc_require(!strcmp(text, twice));
    free(sc_rtc_answer_mend(offer, codec, answer));
    free(sc_rtc_answer_mend(offer, codec, text));
    free(twice);
    free(text);
    sc_rtc_offer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *answer = sc_xcalloc(1, size + 1);
    memcpy(answer, data, size);
    for (int role = SC_RTC_WATCH; role <= SC_RTC_PUBLISH; role++) {
        sc_rtc_offer *offer;
        sc_err err = {0};
        int ret =
            sc_rtc_offer_parse(&offer, (const char *)data, size, (enum sc_rtc_role)role, &err);
        sc_require(ret == SC_OK ? offer != NULL : !offer && err.text[0]);
        sc_require(ret == SC_OK || ret == SC_EARG || ret == SC_EUNSUPPORTED);
        if (offer) {
            check_offer(offer);
            try_codec(offer, SC_RTC_H264, answer);
            try_codec(offer, SC_RTC_VP8, answer);
        }
        sc_rtc_offer_free(&offer);
    }
    free(answer);
    return 0;
}
