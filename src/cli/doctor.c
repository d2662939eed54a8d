// saccade doctor: looks at this machine and says what to do.
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "app/app.h"
#include "app/models.h"
#include "app/webrtc.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/settings.h"
#include "pipeline/choice.h"
#include "vision/onnx.h"

extern const struct sc_command sc_cmd_doctor;

static int problems(bool good, const char *what, const char *found, const char *advice)
{
    printf("%-4s %-22s %s\n", good ? "ok" : "!!", what, found);
    if (!good)
        printf("     %-22s %s\n", "", advice);
    return !good;
}

static int check_decoders(void)
{
    static const enum AVCodecID wanted[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1,
                                            AV_CODEC_ID_VP9, AV_CODEC_ID_VP8};
    sc_str found = {0}, missing = {0};
    for (size_t i = 0; i < SC_COUNT(wanted); i++)
        sc_str_addf(avcodec_find_decoder(wanted[i]) ? &found : &missing, "%s ",
                    avcodec_get_name(wanted[i]));
    int bad = problems(!missing.len, "decoders", sc_str_get(missing.len ? &missing : &found),
                       "missing from this FFmpeg: install the distribution's full libavcodec");
    sc_str_release(&found);
    sc_str_release(&missing);
    return bad;
}

static int check_encoder(void)
{
    bool there = avcodec_find_encoder_by_name("libx264") != NULL;
    return problems(there, "encoder for the demo", there ? "libx264" : "none",
                    "`saccade demo` needs libx264 or a clip of yours (--clip FILE)");
}

static int check_libraries(void)
{
    char text[128];
    unsigned built = LIBAVCODEC_VERSION_INT, runs = avcodec_version();
    snprintf(text, sizeof(text), "libavcodec %u.%u.%u, FFmpeg %s", runs >> 16, runs >> 8 & 255,
             runs & 255, av_version_info());
    return problems(built >> 16 == runs >> 16, "FFmpeg", text,
                    "built for another major version: build Saccade again");
}

static int check_folder(const char *path)
{
    char text[512], free_text[32];
    struct statvfs fs;
    const char *at = access(path, F_OK) == 0 ? path : ".";
    if (statvfs(at, &fs) < 0)
        return problems(false, "data folder", path, "cannot be looked at");
    int64_t room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    snprintf(text, sizeof(text), "%s, %s free", path,
             sc_format_size(free_text, sizeof(free_text), room));
    return problems(access(at, W_OK) == 0, "data folder", text,
                    "not writable for this user: choose another with --data-dir") +
           problems(room > (INT64_C(1) << 30), "disk", free_text, "less than 1 GiB is left");
}

static int check_limits(void)
{
    struct rlimit limit;
    char text[64];
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)limit.rlim_cur);
    return problems(limit.rlim_cur >= 1024, "open files", text,
                    "raise it with `ulimit -n 4096` for many clients");
}

static void print_providers(const sc_onnx *onnx)
{
    sc_str text = {0};
    const char *const *name = sc_onnx_get_info(onnx)->providers;
    for (; *name; name++)
        sc_str_addf(&text, "%.*s ", (int)strcspn(*name, "E"), *name); // CUDA[ExecutionProvider]
    problems(true, "compiled in", sc_str_get(&text), "");
    sc_str_release(&text);
}

// A GPU that is there and not used wants attention; no GPU does not.
static int check_provider(sc_onnx *onnx, const struct sc_models_settings *settings)
{
    struct sc_onnx_trial trial;
    sc_err err = {0};
    char text[1200];
    int ret = sc_onnx_try(onnx, (enum sc_provider)settings->provider, (int)settings->device,
                          &trial, &err);
    if (ret)
        return problems(false, "detection", sc_err_text(&err, ret),
                        "choose another provider with --models-provider, or let it be auto");
    bool idle = trial.provider == SC_PROVIDER_CPU && settings->provider == SC_PROVIDER_AUTO &&
                access("/dev/nvidiactl", F_OK) == 0;
    snprintf(text, sizeof(text), "runs on %s (%s)", sc_provider_name(trial.provider),
             trial.reason);
    return problems(!idle, "detection", text,
                    "the GPU is idle: with CUDA and cuDNN installed, name a CUDA build of ONNX "
                    "Runtime with --models-library");
}

// Detection is a part that one may do without, unless a library was named.
static int check_detection(const struct sc_models_settings *settings)
{
    sc_err err = {0};
    sc_onnx *onnx = NULL;
    int ret = sc_onnx_open(&onnx, settings->library, NULL, &err);
    if (ret) {
        bool named = settings->library && *settings->library;
        printf("%-4s %-22s %s\n     %-22s %s\n", named ? "!!" : "--", "ONNX Runtime",
               "none: this server cannot detect objects", "", sc_err_text(&err, ret));
        return named;
    }
    char text[512];
    const struct sc_onnx_info *info = sc_onnx_get_info(onnx);
    snprintf(text, sizeof(text), "%s, %s", info->version, info->path);
    int bad = problems(true, "ONNX Runtime", text, "");
    print_providers(onnx);
    bad += check_provider(onnx, settings);
    sc_onnx_close(&onnx);
    return bad;
}

static int check_webrtc(const struct sc_webrtc_settings *settings)
{
    sc_err err = {0};
    char version[64];
    if (!settings->on)
        return problems(true, "WebRTC", "switched off (option webrtc)", "");
    int ret = sc_webrtc_try(version, &err);
    return ret ? problems(false, "WebRTC", "none: streams cannot be watched by WebRTC",
                          sc_err_text(&err, ret))
               : problems(true, "WebRTC", version, "");
}

static int run(int argc, char **argv)
{
    sc_options *options = NULL;
    int status = sc_cli_settings(&sc_cmd_doctor, &options, &argc, argv);
    if (!status && argc > 1)
        status = sc_cli_usage(&sc_cmd_doctor, "unknown argument %s", argv[1]);
    if (!status) {
        const struct sc_app_settings *settings = sc_options_get(options, &sc_app_options);
        char text[400];
        snprintf(text, sizeof(text), "%d", sc_cpu_count());
        int bad = problems(true, "version", "saccade " SC_VERSION, "");
        bad += problems(sc_cpu_count() >= 2, "cores", text, "decoding and answering share one");
        bad += check_libraries() + check_decoders() + check_encoder() +
               check_folder(settings->data_dir) + check_limits() +
               check_detection(sc_options_get(options, &sc_models_options)) +
               check_webrtc(sc_options_get(options, &sc_webrtc_options));
        struct sc_pipeline_choice choice;
        sc_pipeline_choose(&choice);
        snprintf(text, sizeof(text), "%s: %s", choice.name, choice.reason);
        problems(true, "pipeline", text, "");
        puts(bad ? "some things want attention" : "all is well");
        status = bad > 0;
    }
    sc_options_free(&options);
    return status;
}

const struct sc_command sc_cmd_doctor = {
    .name = "doctor",
    .summary = "checks the machine, says what to do",
    .help = "usage: saccade doctor [--data-dir DIR]\n\n"
            "Looks at libraries, decoders, disk, limits, what runs models, and WebRTC; exit "
            "status 1\n"
            "if something wants attention.\n",
    .run = run,
};
