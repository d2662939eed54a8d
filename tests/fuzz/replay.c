// Runs a fuzzer on every file of the folders (or files) named, without libFuzzer.
#include <dirent.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"
#include "fuzz.h"

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "re");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0) {
        perror(path);
        return -1;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *data = sc_xcalloc(1, size); // as large as the input, so that overreads are caught
    size_t got = fread(data, 1, size, f);
    fclose(f);
    if (got == size)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return got == size ? 1 : -1;
}

// The number of files run, or -1.
static int replay_folder(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return replay_file(path);
    for (struct dirent *item = readdir(dir); item && count >= 0; item = readdir(dir)) {
        if (item->d_name[0] == '.')
            continue;
        sc_str file = {0};
        sc_str_addf(&file, "%s/%s", path, item->d_name);
        count = replay_file(sc_str_get(&file)) < 0 ? -1 : count + 1;
        sc_str_release(&file);
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);
        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs replayed\n", total);
    return total ? 0 : 1; // a corpus that is not there tests nothing
}
