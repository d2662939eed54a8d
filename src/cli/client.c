#include "cli/client.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/mem.h"

#define BODY_MAX (64 << 20)

struct sc_client {
    CURL *curl; // kept, so that the connection is kept
    struct curl_slist *headers;
    char *base;
    char error[CURL_ERROR_SIZE];
    void (*progress)(void *arg, double fraction);
    void *progress_arg;
};

void sc_client_release(struct sc_reply *reply)
{
    sc_str_release(&reply->body);
    sc_str_release(&reply->headers);
}

const char *sc_client_header(const struct sc_reply *reply, const char *name, char *buf,
                             size_t size)
{
    size_t length = strlen(name);
    buf[0] = 0;
    for (const char *line = sc_str_get(&reply->headers); *line;) {
        const char *end = strchr(line, '\n');
        if (!strncasecmp(line, name, length) && line[length] == ':') {
            const char *value = line + length + 1;
            value += strspn(value, " ");
            snprintf(buf, size, "%.*s", (int)strcspn(value, "\r\n"), value);
            break;
        }
        line = end ? end + 1 : line + strlen(line);
    }
    return buf;
}

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    sc_str *str = arg;
    if (str->len + size * count > BODY_MAX)
        return 0; // libcurl takes this as an error
    sc_str_addn(str, data, size * count);
    return size * count;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const sc_client *client = arg;
    (void)down_total, (void)down;
    if (client->progress && up_total > 0)
        client->progress(client->progress_arg, (double)up / (double)up_total);
    return 0;
}

sc_client *sc_client_open(const char *base, const char *token)
{
    sc_client *client = sc_new(sc_client);
    client->base = sc_xstrdup(base);
    client->curl = curl_easy_init();
    if (!client->curl) {
        sc_client_close(&client);
        return NULL;
    }
    if (*token) {
        sc_str line = {0};
        sc_str_addf(&line, "Authorization: Bearer %s", token);
        client->headers = curl_slist_append(NULL, line.s);
        sc_str_release(&line);
    }
    client->headers = curl_slist_append(client->headers, "Expect:");
    return client;
}

void sc_client_close(sc_client **pclient)
{
    sc_client *client = pclient ? *pclient : NULL;
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    curl_slist_free_all(client->headers);
    free(client->base);
    free(client);
    *pclient = NULL;
}

// type: a header that says what the body is; NULL = no body.
static int perform(sc_client *client, const char *path, char *type, struct sc_reply *reply,
                   sc_err *err)
{
    CURL *curl = client->curl;
    struct curl_slist headers = {.data = type, .next = client->headers};
    sc_str url = {0};
    long status = 0;
    *reply = (struct sc_reply){0};
    sc_str_addf(&url, "%s%s", client->base, path);
    curl_easy_setopt(curl, CURLOPT_URL, url.s);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, type ? &headers : client->headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply->headers);
    int64_t started = sc_clock_now();
    CURLcode code = curl_easy_perform(curl);
    reply->seconds = (double)(sc_clock_now() - started) / 1e9;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_reset(curl);
    reply->status = (int)status;
    sc_str_release(&url);
    if (code == CURLE_OK)
        return SC_OK;
    const char *why = client->error[0] ? client->error : curl_easy_strerror(code);
    sc_client_release(reply);
    return sc_fail(err, SC_EIO, "%s%s: %s", client->base, path, why);
}

int sc_client_get(sc_client *client, const char *path, struct sc_reply *reply, sc_err *err)
{
    return perform(client, path, NULL, reply, err);
}

int sc_client_post_json(sc_client *client, const char *path, const char *json,
                        struct sc_reply *reply, sc_err *err)
{
    char type[] = "Content-Type: application/json";
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, json);
    return perform(client, path, type, reply, err);
}

int sc_client_upload(sc_client *client, const char *path, const char *file,
                     void (*progress)(void *arg, double fraction), void *arg,
                     struct sc_reply *reply, sc_err *err)
{
    char type[] = "Content-Type: video/mp4";
    struct stat st;
    FILE *f = fopen(file, "rb");
    if (!f || fstat(fileno(f), &st) < 0) {
        int saved = errno;
        if (f)
            fclose(f);
        return sc_fail(err, sc_error_from_errno(saved), "%s: %s", file, strerror(saved));
    }
    client->progress = progress;
    client->progress_arg = arg;
    curl_easy_setopt(client->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)st.st_size);
    curl_easy_setopt(client->curl, CURLOPT_READDATA, f);
    curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, client);
    int ret = perform(client, path, type, reply, err);
    fclose(f);
    return ret;
}
