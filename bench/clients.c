// Many clients at once, each with one connection kept alive, asking for random frames.
//
//   clients PORT COUNT SECONDS < VIDEOS
//
// VIDEOS has a line "ID FRAMES" a video. Prints a JSON object: requests, errors, first_error,
// bytes, p50_ms, p99_ms, max_ms. An error is any answer but 200, a connection that is closed or
// refused, and an answer that is not there DRAIN_MS after the time is over.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_VIDEOS 64
#define DRAIN_MS   30000
#define HEAD_MAX   8192

struct video {
    char id[65];
    int frames;
};

struct client {
    int fd; // -1 when it gave up
    bool waiting;
    double sent_ms;
    char head[HEAD_MAX];
    size_t head_size;
    int64_t body_left; // -1 while the head is not complete
};

struct load {
    int port, count, epoll;
    struct video videos[MAX_VIDEOS];
    int video_count;
    struct client *clients;
    int waiting;
    uint64_t random;
    float *latencies; // ms, one a good answer
    int64_t answers, room, errors, bytes;
    char first_error[200];
};

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static uint64_t next_random(struct load *load)
{
    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    return load->random;
}

static void give_up(struct load *load, struct client *client, const char *why)
{
    if (load->errors++ == 0)
        snprintf(load->first_error, sizeof(load->first_error), "%s", why);
    load->waiting -= client->waiting;
    client->waiting = false;
    close(client->fd);
    client->fd = -1;
}

static void ask(struct load *load, struct client *client)
{
    const struct video *video = &load->videos[next_random(load) % (uint64_t)load->video_count];
    char request[256];
    int size =
        snprintf(request, sizeof(request),
                 "GET /api/v1/videos/%s/frame?n=%llu HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                 video->id, (unsigned long long)(next_random(load) % (uint64_t)video->frames));
    client->head_size = 0;
    client->body_left = -1;
    client->waiting = true;
    client->sent_ms = now_ms();
    load->waiting++;
    if (send(client->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
        give_up(load, client, "cannot send");
}

static int client_open(struct load *load, struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)load->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event))
        return -1;
    return 0;
}

static int record(struct load *load, const struct client *client)
{
    if (load->answers == load->room) {
        int64_t room = load->room ? 2 * load->room : 65536;
        float *grown = realloc(load->latencies, (size_t)room * sizeof(*grown));
        if (!grown)
            return -1;
        load->latencies = grown;
        load->room = room;
    }
    load->latencies[load->answers++] = (float)(now_ms() - client->sent_ms);
    return 0;
}

// Looks for the end of the head in what is there. Returns false while it is not complete.
static bool parse_head(struct load *load, struct client *client)
{
    client->head[client->head_size] = 0;
    char *end = strstr(client->head, "\r\n\r\n");
    if (!end) {
        if (client->head_size >= HEAD_MAX - 1)
            give_up(load, client, "the answer's head is too long");
        return false;
    }
    char *length = strcasestr(client->head, "\r\nContent-Length:");
    if (strncmp(client->head, "HTTP/1.1 200", 12) != 0 || !length || length > end) {
        give_up(load, client, client->head);
        return false;
    }
    int64_t body = strtoll(length + 17, NULL, 10);
    client->body_left = body - (int64_t)(client->head_size - (size_t)(end + 4 - client->head));
    load->bytes += body;
    return true;
}

// Reads what is there. Returns true when an answer is complete.
static bool receive(struct load *load, struct client *client)
{
    static char drain[256 * 1024];
    bool head = client->body_left < 0;
    ssize_t got = head ? read(client->fd, client->head + client->head_size,
                              HEAD_MAX - 1 - client->head_size)
                       : read(client->fd, drain, sizeof(drain));
    if (got <= 0) {
        give_up(load, client, got ? strerror(errno) : "the connection was closed");
        return false;
    }
    if (!head) {
        client->body_left -= got;
    } else {
        client->head_size += (size_t)got;
        if (!parse_head(load, client))
            return false;
    }
    return client->body_left == 0;
}

static void serve_event(struct load *load, struct client *client, bool more)
{
    if (client->fd < 0 || !receive(load, client))
        return;
    load->waiting--;
    client->waiting = false;
    if (record(load, client))
        give_up(load, client, "out of memory");
    else if (more)
        ask(load, client);
}

static void run(struct load *load, double seconds)
{
    struct epoll_event events[64];
    double end = now_ms() + seconds * 1e3;
    for (int i = 0; i < load->count; i++)
        ask(load, &load->clients[i]);
    while (load->waiting > 0 && now_ms() < end + DRAIN_MS) {
        int ready = epoll_wait(load->epoll, events, 64, 100);
        for (int i = 0; i < ready; i++)
            serve_event(load, events[i].data.ptr, now_ms() < end);
    }
    for (int i = 0; i < load->count; i++) {
        if (load->clients[i].waiting)
            give_up(load, &load->clients[i], "no answer in time");
    }
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(const struct load *load, double share)
{
    return load->answers
               ? (double)load->latencies[(int64_t)((double)(load->answers - 1) * share)]
               : 0;
}

static void report(struct load *load)
{
    if (load->answers)
        qsort(load->latencies, (size_t)load->answers, sizeof(*load->latencies), compare);
    load->first_error[strcspn(load->first_error, "\r\n")] = 0;
    for (char *c = load->first_error; *c; c++)
        *c = *c == '"' || *c == '\\' ? '\'' : *c;
    printf("{\"requests\": %lld, \"errors\": %lld, \"first_error\": \"%s\", \"bytes\": %lld, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           (long long)load->answers, (long long)load->errors, load->first_error,
           (long long)load->bytes, percentile(load, 0.5), percentile(load, 0.99),
           percentile(load, 1));
}

static int open_all(struct load *load)
{
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc((size_t)load->count, sizeof(*load->clients));
    while (load->video_count < MAX_VIDEOS &&
           scanf("%64s %d", load->videos[load->video_count].id,
                 &load->videos[load->video_count].frames) == 2)
        load->video_count++;
    if (load->epoll < 0 || !load->clients || load->video_count == 0)
        return -1;
    for (int i = 0; i < load->count; i++) {
        if (client_open(load, &load->clients[i]) != 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: clients PORT COUNT SECONDS < VIDEOS\n");
        return 2;
    }
    struct load load = {
        .port = atoi(argv[1]), .count = atoi(argv[2]), .random = 88172645463325252u};
    if (load.count < 1 || open_all(&load) != 0) {
        fprintf(stderr, "clients: cannot open %d connections to port %d\n", load.count,
                load.port);
        return 1;
    }
    run(&load, atof(argv[3]));
    report(&load);
    return 0;
}
