// GET /api/v1/videos/{id}/index: when each frame is shown, where keyframes are, what is cached.
#include <inttypes.h>

#include "http/api/endpoints.h"
#include "http/api/video.h"

#define PAGE_MAX 1000000

// Frames [from, to) of a video.
struct page {
    sc_video *video;
    sc_index *index;
    int64_t from, to;
};

static void add_times(sc_str *out, const struct page *page)
{
    char text[64];
    sc_str_add(out, ",\"times\":[");
    for (int64_t n = page->from; n < page->to; n++) {
        if (n > page->from)
            sc_str_addc(out, ',');
        sc_str_add(out, sc_index_format_time(page->index, n, text, sizeof(text)));
    }
    sc_str_addc(out, ']');
}

static void add_keyframes(sc_str *out, const struct page *page)
{
    const char *comma = "";
    sc_str_add(out, ",\"keyframes\":[");
    for (int64_t n = page->from; n < page->to; n++) {
        if (!sc_index_is_key(page->index, n))
            continue;
        sc_str_addf(out, "%s%" PRId64, comma, n);
        comma = ",";
    }
    sc_str_addc(out, ']');
}

static void add_gop(sc_str *out, const char *comma, int64_t start, int64_t end)
{
    sc_str_addf(out, "%s{\"start\":%" PRId64 ",\"frames\":%" PRId64 "}", comma, start,
                end - start);
}

// A GOP goes from a keyframe to the next; those that start on this page are listed whole.
static void add_gops(sc_str *out, const struct page *page)
{
    int64_t frames = sc_index_get_info(page->index)->frames, start = -1;
    const char *comma = "";
    sc_str_add(out, ",\"gops\":[");
    for (int64_t n = page->from; n < frames; n++) {
        bool begins = n == 0 || sc_index_is_key(page->index, n);
        if (!begins)
            continue;
        if (start >= 0) {
            add_gop(out, comma, start, n);
            comma = ",";
        }
        start = n;
        if (n >= page->to)
            break;
    }
    if (start >= 0 && start < page->to)
        add_gop(out, comma, start, frames);
    sc_str_addc(out, ']');
}

// Runs of cached frames as [first, last].
static void add_cached(sc_str *out, const struct page *page)
{
    const char *comma = "";
    sc_str_add(out, ",\"cached\":[");
    for (int64_t n = page->from; n < page->to;) {
        int64_t first = n;
        while (n < page->to && sc_video_cached(page->video, n))
            n++;
        if (n > first) {
            sc_str_addf(out, "%s[%" PRId64 ",%" PRId64 "]", comma, first, n - 1);
            comma = ",";
        } else {
            n++;
        }
    }
    sc_str_addc(out, ']');
}

static void add_head(sc_str *out, sc_request *req, const struct page *page)
{
    const struct sc_index_info *info = sc_index_get_info(page->index);
    char duration[64];
    sc_str_addf(out,
                "{\"id\":\"%s\",\"frames\":%" PRId64 ",\"duration\":%s,\"time_base\":\"%d/%d\","
                "\"fps\":%.15g,\"variable_rate\":%s,\"from\":%" PRId64 ",\"count\":%" PRId64,
                sc_request_param(req, "id"), info->frames,
                sc_index_format_duration(page->index, duration, sizeof(duration)),
                info->time_base.num, info->time_base.den, sc_api_fps(info),
                info->variable_rate ? "true" : "false", page->from, page->to - page->from);
    if (page->to < info->frames)
        sc_str_addf(out, ",\"next\":%" PRId64, page->to);
    else
        sc_str_add(out, ",\"next\":null");
}

static void print(sc_request *req, const struct page *page)
{
    sc_str text = {0};
    add_head(&text, req, page);
    if (sc_request_bool(req, "cache")) {
        add_cached(&text, page);
    } else {
        add_times(&text, page);
        add_keyframes(&text, page);
        add_gops(&text, page);
    }
    sc_str_add(&text, "}\n");
    sc_reply_text(req, 200, "application/json", &text);
    sc_reply_header(req, "Cache-Control", "no-cache");
}

static void work(sc_request *req)
{
    struct page page = {.video = sc_api_video(req)};
    if (!page.video)
        return;
    page.index = sc_video_index(page.video);
    int64_t frames = sc_index_get_info(page.index)->frames;
    int64_t limit = sc_request_int(req, "limit");
    page.from = sc_request_int(req, "from");
    page.to = frames - page.from > limit ? page.from + limit : frames;
    if (page.from < frames)
        print(req, &page);
    else
        sc_reply_problem(req, 416, "from", "the video has frames 0 to %" PRId64, frames - 1);
    sc_index_unref(&page.index);
    sc_video_unref(&page.video);
}

static void handle(sc_request *req)
{
    sc_request_run(req, work);
}

static const sc_param params[] = {
    SC_ROW_ID,
    {"from", SC_IN_QUERY, SC_PARAM_INT, 0, 9e15, .value = "0", .help = "first frame number"},
    {"limit", SC_IN_QUERY, SC_PARAM_INT, 1, PAGE_MAX, .value = "100000",
     .help = "at most so many frames"},
    {"cache", SC_IN_QUERY, SC_PARAM_BOOL, .value = "false",
     .help = "tell instead which frames are cached now, as runs [first, last]"},
    {0},
};
static const sc_response_row responses[] = {
    {200, "application/json",
     "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},"
     "\"frames\":{\"type\":\"integer\"},\"duration\":{\"type\":\"number\"},"
     "\"time_base\":{\"type\":\"string\"},\"fps\":{\"type\":\"number\"},"
     "\"variable_rate\":{\"type\":\"boolean\"},\"from\":{\"type\":\"integer\"},"
     "\"count\":{\"type\":\"integer\"},\"next\":{\"type\":[\"integer\",\"null\"]},"
     "\"times\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}},"
     "\"keyframes\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},"
     "\"gops\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
     "\"start\":{\"type\":\"integer\"},\"frames\":{\"type\":\"integer\"}}}},"
     "\"cached\":{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":"
     "\"integer\"}}}}}",
     "`times[i]` is when frame `from + i` is shown, in seconds; given back as t it names that "
     "frame"},
    {0},
};
const sc_endpoint sc_get_index = {
    .method = "GET",
    .path = "/api/v1/videos/{id}/index",
    .tag = "frames",
    .summary = "Frame times, keyframes and GOP sizes",
    .help = "Paged: `next` is the `from` of the page after, null on the last.",
    .params = params,
    .responses = responses,
    .handle = handle,
};
