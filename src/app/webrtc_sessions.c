// Sessions: made and used on request threads, ended on the thread that tends them (webrtc.c), so that nothing
// is taken away from under a hub's step.
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/webrtc_internal.h"
#include "base/clock.h"
#include "base/mem.h"

// Nobody guesses them. len: letters, even.
static void make_word(char *word, size_t len)
{
    unsigned char bytes[16];
    sc_require(len / 2 <= sizeof(bytes) &&
               getrandom(bytes, len / 2, 0) == (ssize_t)(len / 2)); // at most 256 bytes: whole
    for (size_t i = 0; i < len / 2; i++)
        snprintf(word + 2 * i, 3, "%02x", bytes[i]);
}

void sc_webrtc_answer_release(struct sc_webrtc_answer *answer)
{
    free(answer->sdp);
    *answer = (struct sc_webrtc_answer){0};
}

// --- what is watched ----------------------------------------------------------------------

static int tap(void *arg, int rung, void **ptap,
               void (*take)(void *arg, const struct sc_live_sample *sample), void *take_arg,
               sc_err *err)
{
    struct sc_webrtc_watched *watched = arg;
    sc_live_tap *made = NULL;
    int ret = sc_streams_tap(watched->webrtc->streams, watched->stream, rung, &made, take,
                             take_arg, err);
    *ptap = made;
    return ret;
}

static void untap(void *arg, void *tapped)
{
    struct sc_webrtc_watched *watched = arg;
    sc_live_tap *made = tapped;
    sc_streams_ops(watched->webrtc->streams)->untap(&made);
}

static void want_key(void *arg, void *tapped)
{
    struct sc_webrtc_watched *watched = arg;
    sc_streams_ops(watched->webrtc->streams)->want_key(tapped);
}

static int set_bitrate(void *arg, void *tapped, int64_t bitrate)
{
    struct sc_webrtc_watched *watched = arg;
    return sc_streams_ops(watched->webrtc->streams)->set_bitrate(tapped, bitrate);
}

static void hub_wake(void *arg)
{
    sc_webrtc *webrtc = arg;
    pthread_mutex_lock(&webrtc->lock);
    sc_webrtc_poke(webrtc);
    pthread_mutex_unlock(&webrtc->lock);
}

// The stream's hub, made where there is none, held by the caller. Under lock.
static struct sc_webrtc_watched *watch_stream(sc_webrtc *webrtc, const char *stream,
                                              sc_rtc *rtc)
{
    struct sc_webrtc_watched *w = webrtc->watched;
    while (w && strcmp(w->stream, stream))
        w = w->next;
    if (!w) {
        w = sc_new(struct sc_webrtc_watched);
        w->webrtc = webrtc;
        snprintf(w->stream, sizeof(w->stream), "%s", stream);
        const struct sc_rtc_source source = {.tap = tap,
                                             .untap = untap,
                                             .want_key = want_key,
                                             .set_bitrate = set_bitrate,
                                             .arg = w};
        w->hub = sc_rtc_hub_open(
            &(struct sc_rtc_hub_params){.rtc = rtc,
                                        .source = &source,
                                        .rungs = webrtc->rungs,
                                        .rung_count = webrtc->rung_count,
                                        .most = (int)webrtc->settings->stream_viewers,
                                        .wake = hub_wake,
                                        .arg = webrtc});
        w->next = webrtc->watched;
        webrtc->watched = w;
    }
    w->users++;
    return w;
}

// --- watching -----------------------------------------------------------------------------

static int refuse_state(const char *stream, const struct sc_streams_status *status, sc_err *err)
{
    return sc_fail(err, SC_EAGAIN, "stream %s does not run: it is %s%s%s", stream,
                   sc_streams_state_name(status->state), *status->reason ? ": " : "",
                   status->reason);
}

// Waits a moment for one that has just been started.
static int await_stream(sc_webrtc *webrtc, const char *stream, bool *sound, sc_err *err)
{
    int64_t until = sc_clock_now() + SC_WEBRTC_START_WAIT_NS;
    for (;;) {
        struct sc_streams_status status;
        if (sc_streams_get(webrtc->streams, stream, true, &status))
            return sc_fail_field(err, SC_ENOTFOUND, "id", "there is no stream %s", stream);
        bool late = sc_clock_now() >= until;
        enum sc_streams_state state = status.state;
        int ret = state == SC_STREAMS_RUNNING             ? SC_OK
                  : state == SC_STREAMS_STARTING && !late ? SC_EBUSY
                                                          : refuse_state(stream, &status, err);
        *sound = status.has_live && status.live.sound &&
                 !json_is_false(json_object_get(status.spec, "sound"));
        sc_streams_status_release(&status);
        if (ret != SC_EBUSY)
            return ret;
        usleep(20000);
    }
}

void sc_webrtc_session_gone(struct sc_webrtc_session *session, const char *reason)
{
    pthread_mutex_lock(&session->webrtc->lock);
    session->gone = true;
    snprintf(session->reason, sizeof(session->reason), "%s", reason);
    sc_webrtc_poke(session->webrtc);
    pthread_mutex_unlock(&session->webrtc->lock);
}

static void on_gone(void *arg, const char *reason)
{
    sc_webrtc_session_gone(arg, reason);
}

// A place among all viewers.
int sc_webrtc_take_place(sc_webrtc *webrtc, sc_err *err)
{
    int ret = SC_OK;
    pthread_mutex_lock(&webrtc->lock);
    if (webrtc->closing)
        ret = sc_fail(err, SC_ECANCELLED, "the server is shutting down");
    else if (webrtc->viewers >= webrtc->settings->viewers)
        ret = sc_fail(err, SC_EBUSY, "there are %d viewers, as many as webrtc-viewers allows",
                      webrtc->viewers);
    else
        webrtc->viewers++;
    pthread_mutex_unlock(&webrtc->lock);
    return ret;
}

void sc_webrtc_leave_place(sc_webrtc *webrtc)
{
    pthread_mutex_lock(&webrtc->lock);
    webrtc->viewers--;
    pthread_mutex_unlock(&webrtc->lock);
}

void sc_webrtc_session_list(struct sc_webrtc_session *session, struct sc_webrtc_answer *answer)
{
    sc_webrtc *webrtc = session->webrtc;
    memcpy(answer->session, session->id, sizeof(session->id));
    memcpy(answer->etag, session->etag, sizeof(session->etag));
    pthread_mutex_lock(&webrtc->lock);
    session->next = webrtc->sessions;
    webrtc->sessions = session;
    session->ending = webrtc->closing;
    webrtc->count++;
    sc_webrtc_poke(webrtc);
    pthread_mutex_unlock(&webrtc->lock);
    sc_counter_add(webrtc->sessions_total, 1);
}

void sc_webrtc_session_free(struct sc_webrtc_session *session)
{
    sc_live_inlet_unref(&session->inlet);
    sc_rtc_offer_free(&session->offer);
    free(session);
}

static int add_viewer(struct sc_webrtc_session *session, bool sound, char **answer, sc_err *err)
{
    sc_webrtc *webrtc = session->webrtc;
    sc_rtc *rtc;
    int ret = sc_webrtc_engine(webrtc, &rtc, err);
    if (ret)
        return ret;
    pthread_mutex_lock(&webrtc->lock);
    session->watched = watch_stream(webrtc, session->stream, rtc);
    pthread_mutex_unlock(&webrtc->lock);
    const struct sc_rtc_viewer_params params = {
        .offer = session->offer, .sound = sound, .on_gone = on_gone, .arg = session};
    ret = sc_rtc_hub_add(session->watched->hub, &session->viewer, answer, &params, err);
    if (ret < 0) {
        pthread_mutex_lock(&webrtc->lock);
        session->watched->users--;
        pthread_mutex_unlock(&webrtc->lock);
    }
    return ret;
}

struct sc_webrtc_session *sc_webrtc_session_new(sc_webrtc *webrtc, const char *stream,
                                                sc_rtc_offer *offer)
{
    struct sc_webrtc_session *session = sc_new(struct sc_webrtc_session);
    session->webrtc = webrtc;
    session->offer = offer;
    session->opened_ns = session->seen_ns = sc_clock_now();
    snprintf(session->stream, sizeof(session->stream), "%s", stream);
    make_word(session->id, 32);
    make_word(session->etag, 16);
    return session;
}

int sc_webrtc_watch(sc_webrtc *webrtc, const char *stream, const char *offer, size_t size,
                    struct sc_webrtc_answer *answer, sc_err *err)
{
    sc_rtc_offer *parsed = NULL;
    bool sound = false;
    *answer = (struct sc_webrtc_answer){0};
    if (!webrtc->settings->on)
        return sc_fail_field(err, SC_EUNSUPPORTED, "webrtc",
                             "WebRTC is switched off (option webrtc)");
    int ret = sc_rtc_offer_parse(&parsed, offer, size, SC_RTC_WATCH, err);
    if (!ret)
        ret = await_stream(webrtc, stream, &sound, err);
    if (!ret)
        ret = sc_webrtc_take_place(webrtc, err);
    if (ret) {
        sc_rtc_offer_free(&parsed);
        return ret;
    }
    struct sc_webrtc_session *session = sc_webrtc_session_new(webrtc, stream, parsed);
    ret = add_viewer(session, sound, &answer->sdp, err);
    if (ret) {
        sc_webrtc_leave_place(webrtc);
        sc_webrtc_session_free(session);
        return ret;
    }
    sc_webrtc_session_list(session, answer);
    return SC_OK;
}

static sc_rtc_peer *peer_of(const struct sc_webrtc_session *session)
{
    return session->viewer ? sc_rtc_viewer_peer(session->viewer) : session->publisher;
}

// --- while it lasts -----------------------------------------------------------------------

// Under lock.
static struct sc_webrtc_session *find(sc_webrtc *webrtc, const struct sc_webrtc_name *name)
{
    struct sc_webrtc_session *s = webrtc->sessions;
    while (s && (strcmp(s->id, name->session) || strcmp(s->stream, name->stream)))
        s = s->next;
    bool fits = s && (name->kind == SC_WEBRTC_WHEP) == (s->viewer != NULL);
    return fits && !s->ending && !s->gone ? s : NULL;
}

static int no_session(const char *stream, sc_err *err)
{
    return sc_fail_field(err, SC_ENOTFOUND, "session",
                         "stream %s has no such session: it has ended, or never was", stream);
}

static void add_candidates(struct sc_webrtc_session *session, const sc_rtc_fragment *fragment)
{
    for (int i = 0; i < fragment->count; i++)
        sc_rtc_peer_add_candidate(peer_of(session), fragment->candidates[i].text);
}

static int restart(struct sc_webrtc_session *session, const sc_rtc_fragment *fragment,
                   char **answer, char etag_out[17], sc_err *err)
{
    sc_webrtc *webrtc = session->webrtc;
    if (!*fragment->ufrag)
        return sc_fail(err, SC_EARG, "an ICE restart needs a=ice-ufrag and a=ice-pwd");
    int ret =
        sc_rtc_peer_restart(peer_of(session), fragment->ufrag, fragment->pwd, answer, err);
    if (ret)
        return ret;
    make_word(etag_out, 16);
    pthread_mutex_lock(&webrtc->lock);
    memcpy(session->etag, etag_out, sizeof(session->etag));
    pthread_mutex_unlock(&webrtc->lock);
    add_candidates(session, fragment);
    return SC_OK;
}

// The session, held until done_with() has it; NULL, with *ret set. again: for a restart, of which there is one at a time.
static struct sc_webrtc_session *hold(sc_webrtc *webrtc, const struct sc_webrtc_name *name,
                                      const char *etag, bool again, int *ret, sc_err *err)
{
    *ret = SC_OK;
    pthread_mutex_lock(&webrtc->lock);
    struct sc_webrtc_session *session = find(webrtc, name);
    if (!session) {
        *ret = no_session(name->stream, err);
    } else if (!again && strcmp(etag, session->etag)) {
        *ret = sc_fail(err, SC_ESTALE, "the session's ETag is another one: ICE was restarted");
    } else if (again && session->restarting) {
        *ret = sc_fail(err, SC_EAGAIN, "the session's ICE is being restarted");
    } else {
        session->busy++;
        session->restarting |= again;
    }
    pthread_mutex_unlock(&webrtc->lock);
    return *ret ? NULL : session;
}

static void done_with(struct sc_webrtc_session *session, bool again)
{
    sc_webrtc *webrtc = session->webrtc;
    pthread_mutex_lock(&webrtc->lock);
    session->busy--;
    session->restarting &= !again;
    sc_webrtc_poke(webrtc);
    pthread_mutex_unlock(&webrtc->lock);
}

int sc_webrtc_trickle(sc_webrtc *webrtc, const struct sc_webrtc_name *name, const char *etag,
                      const char *text, size_t size, char **answer, char etag_out[17],
                      sc_err *err)
{
    bool again = !strcmp(etag, "*");
    int ret;
    *answer = NULL;
    struct sc_webrtc_session *session = hold(webrtc, name, etag, again, &ret, err);
    if (!session)
        return ret;
    sc_rtc_fragment *fragment = sc_new(sc_rtc_fragment);
    ret = sc_rtc_fragment_parse(fragment, text, size, err);
    if (!ret && again)
        ret = restart(session, fragment, answer, etag_out, err);
    else if (!ret)
        add_candidates(session, fragment);
    free(fragment);
    done_with(session, again);
    return ret;
}

static bool is_listed(const sc_webrtc *webrtc, const char *id)
{
    const struct sc_webrtc_session *s = webrtc->sessions;
    while (s && strcmp(s->id, id))
        s = s->next;
    return s != NULL;
}

int sc_webrtc_end(sc_webrtc *webrtc, const struct sc_webrtc_name *name)
{
    pthread_mutex_lock(&webrtc->lock);
    struct sc_webrtc_session *session = find(webrtc, name);
    bool found = session != NULL;
    if (found) {
        session->ending = true;
        sc_webrtc_poke(webrtc);
    }
    while (found && is_listed(webrtc, name->session))
        pthread_cond_wait(&webrtc->done, &webrtc->lock);
    pthread_mutex_unlock(&webrtc->lock);
    return found ? SC_OK : SC_ENOTFOUND;
}

// --- its end ------------------------------------------------------------------------------

// The next session that is over, taken out of the list.
static struct sc_webrtc_session *take_over(sc_webrtc *webrtc)
{
    pthread_mutex_lock(&webrtc->lock);
    struct sc_webrtc_session **at = &webrtc->sessions, *session;
    while (*at && ((!(*at)->ending && !(*at)->gone) || (*at)->busy))
        at = &(*at)->next;
    session = *at;
    if (session)
        *at = session->next;
    pthread_mutex_unlock(&webrtc->lock);
    return session;
}

static void count_bytes(struct sc_webrtc_session *session)
{
    struct sc_rtc_peer_stats stats;
    int64_t now = sc_clock_now(), took = now - session->seen_ns;
    sc_rtc_peer_get_stats(peer_of(session), &stats);
    int64_t bytes = stats.bytes - session->seen_bytes;
    sc_counter_add(session->webrtc->bytes_total, bytes > 0 ? (uint64_t)bytes : 0);
    pthread_mutex_lock(&session->webrtc->lock);
    session->bits = took > 0 ? 8e9 * (double)bytes / (double)took : 0;
    pthread_mutex_unlock(&session->webrtc->lock);
    session->seen_bytes = stats.bytes;
    session->seen_ns = now;
}

static void end_session(struct sc_webrtc_session *session)
{
    sc_webrtc *webrtc = session->webrtc;
    struct sc_rtc_peer_stats stats;
    sc_rtc_peer_get_stats(peer_of(session), &stats);
    count_bytes(session);
    SC_INFO(webrtc->log, session->viewer ? "viewer left" : "publisher left",
            SC_S("stream", session->stream), SC_S("remote", stats.remote),
            SC_S("reason", session->reason), SC_I("pictures", stats.pictures),
            SC_I("dropped", stats.dropped),
            SC_F("seconds", (double)(sc_clock_now() - session->opened_ns) / 1e9));
    sc_rtc_hub_remove(&session->viewer);
    if (session->inlet)
        sc_live_inlet_end(session->inlet); // asks the peer for nothing any more
    sc_rtc_peer_close(&session->publisher);
    pthread_mutex_lock(&webrtc->lock);
    webrtc->viewers--;
    if (session->watched)
        session->watched->users--;
    pthread_cond_broadcast(&webrtc->done);
    pthread_mutex_unlock(&webrtc->lock);
    sc_webrtc_session_free(session);
}

void sc_webrtc_reap(sc_webrtc *webrtc)
{
    for (struct sc_webrtc_session *s; (s = take_over(webrtc));)
        end_session(s);
    pthread_mutex_lock(&webrtc->lock);
    sc_gauge_set(webrtc->viewers_gauge, webrtc->viewers);
    pthread_mutex_unlock(&webrtc->lock);
}

// Whether its viewers have nothing more to wait for.
static bool is_over(sc_webrtc *webrtc, const char *stream, char reason[160])
{
    struct sc_streams_status status;
    if (sc_streams_get(webrtc->streams, stream, false, &status)) {
        snprintf(reason, 160, "the stream was deleted");
        return true;
    }
    bool over = status.state == SC_STREAMS_ENDED || status.state == SC_STREAMS_FAILED;
    snprintf(reason, 160, "the stream has %s", sc_streams_state_name(status.state));
    sc_streams_status_release(&status);
    return over;
}

static void end_all(sc_webrtc *webrtc, const char *stream, const char *reason)
{
    pthread_mutex_lock(&webrtc->lock);
    for (struct sc_webrtc_session *s = webrtc->sessions; s; s = s->next) {
        if (strcmp(s->stream, stream) || s->ending)
            continue;
        s->ending = true;
        snprintf(s->reason, sizeof(s->reason), "%s", reason);
    }
    sc_webrtc_poke(webrtc);
    pthread_mutex_unlock(&webrtc->lock);
}

// Takes it out where nobody holds it. Under lock.
static bool unlist(struct sc_webrtc_watched *w)
{
    struct sc_webrtc_watched **at = &w->webrtc->watched;
    if (w->users)
        return false;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    return true;
}

void sc_webrtc_check(sc_webrtc *webrtc)
{
    char reason[160];
    pthread_mutex_lock(&webrtc->lock);
    for (struct sc_webrtc_watched *w = webrtc->watched, *next; w; w = next) {
        pthread_mutex_unlock(&webrtc->lock);
        if (is_over(webrtc, w->stream, reason))
            end_all(webrtc, w->stream, reason);
        sc_rtc_hub_step(w->hub); // its taps are closed where nobody is left
        pthread_mutex_lock(&webrtc->lock);
        next = w->next;
        if (unlist(w)) {
            sc_rtc_hub_close(&w->hub);
            free(w);
        }
    }
    struct sc_webrtc_session *s = webrtc->sessions;
    pthread_mutex_unlock(&webrtc->lock);
    for (; s; s = s->next) { // only this thread takes any out
        count_bytes(s);
        if (s->publisher && is_over(webrtc, s->stream, reason))
            end_all(webrtc, s->stream, reason);
    }
}

// --- figures ------------------------------------------------------------------------------

static json_t *session_json(const struct sc_webrtc_session *session)
{
    struct sc_rtc_viewer_stats stats;
    sc_rtc_viewer_get_stats(session->viewer, &stats);
    char name[7];
    snprintf(name, sizeof(name), "%.6s", session->id);
    return json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:i, s:b, s:f}",
        "session", name, "state", sc_rtc_state_name(stats.peer.state), "remote",
        stats.peer.remote, "rung", stats.rung, "width", stats.width, "height", stats.height,
        "bitrate", (json_int_t)stats.link.bitrate, "sent", session->bits, "loss",
        stats.link.loss, "rtt_ms", stats.peer.rtt_ms, "queue_ms", stats.link.queue_ms,
        "dropped", (json_int_t)stats.peer.dropped, "nacks", (json_int_t)stats.peer.nacks,
        "plis", (json_int_t)stats.peer.plis, "switches", stats.switches, "starved",
        stats.starved, "seconds", (double)(sc_clock_now() - session->opened_ns) / 1e9);
}

json_t *sc_webrtc_viewers_json(sc_webrtc *webrtc, const char *stream)
{
    json_t *array = json_array();
    pthread_mutex_lock(&webrtc->lock);
    for (const struct sc_webrtc_session *s = webrtc->sessions; s; s = s->next)
        if (s->viewer && !strcmp(s->stream, stream) && !s->ending && !s->gone)
            json_array_append_new(array, session_json(s));
    pthread_mutex_unlock(&webrtc->lock);
    return array;
}
