// A client that costs next to nothing: POSTs a file with sendfile() and prints what came back.
//
//   upload PORT TARGET FILE        -> STATUS MILLISECONDS
//
// The time runs from the first byte sent until the answer is there.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int connect_loopback(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int send_body(int socket, int file, int64_t size)
{
    while (size > 0) {
        ssize_t sent = sendfile(socket, file, NULL, (size_t)(size < 1 << 30 ? size : 1 << 30));
        if (sent <= 0)
            return -1;
        size -= sent;
    }
    return 0;
}

// The status of the answer, or -1. The connection is closed by the server afterwards.
static int read_status(int socket)
{
    char text[8192];
    size_t have = 0;
    ssize_t got;
    while (have < sizeof(text) - 1 &&
           (got = read(socket, text + have, sizeof(text) - 1 - have)) > 0)
        have += (size_t)got;
    text[have] = 0;
    if (strncmp(text, "HTTP/1.", 7) != 0 || have < 12)
        return -1;
    int status = atoi(text + 9);
    if (status >= 300)
        fprintf(stderr, "upload: %s\n", text);
    return status;
}

static int upload(int socket, int file, const char *target)
{
    struct stat st;
    char head[1024];
    if (fstat(file, &st) != 0)
        return -1;
    int length = snprintf(head, sizeof(head),
                          "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                          "Content-Type: video/mp4\r\nContent-Length: %lld\r\n\r\n",
                          target, (long long)st.st_size);
    if (length >= (int)sizeof(head) || send(socket, head, (size_t)length, MSG_MORE) != length)
        return -1;
    // A server that refuses early answers before it has read all: its answer says why.
    if (send_body(socket, file, st.st_size) != 0 && errno != EPIPE && errno != ECONNRESET)
        return -1;
    return read_status(socket);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: upload PORT TARGET FILE\n");
        return 2;
    }
    int file = open(argv[3], O_RDONLY | O_CLOEXEC);
    int socket = connect_loopback(atoi(argv[1]));
    if (file < 0 || socket < 0) {
        perror("upload");
        return 1;
    }
    double start = now_ms();
    int status = upload(socket, file, argv[2]);
    printf("%d %.3f\n", status, now_ms() - start);
    return status >= 200 && status < 300 ? 0 : 1;
}
