// Lanes: runs of one thread each, side by side.
//
// A run that is spread over cores waits for all of them after every operator; two runs side by side
// wait for nothing. On the CPU, where a batch saves nothing either, several pictures are therefore
// shared out: one a lane, with the weights in common. A lone picture still has all cores in one
// session of its own.
#include "base/mem.h"
#include "vision/model_internal.h"

#define MOST_BYTES (96 << 20) // of a file: larger models spread well, and are not kept twice
#define LANE_BATCH 8          // pictures a lane is good for in one call
#define MOST_LANES 16

// One call, shared by the lanes at work on it.
struct lanes_job {
    sc_model *model;
    sc_frame *const *frames;
    const struct sc_view *views;
    sc_detections **out;
    int count;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    // under lock
    int next, lane, working;
    int ret;
    sc_err err;
};

// The next picture, -1 where none is left or one has failed.
static int next_picture(struct lanes_job *job)
{
    pthread_mutex_lock(&job->lock);
    int i = job->ret < 0 || job->next == job->count ? -1 : job->next++;
    pthread_mutex_unlock(&job->lock);
    return i;
}

static void work(struct lanes_job *job, struct sc_model_lane *lane)
{
    sc_err err = {0};
    for (int i; (i = next_picture(job)) >= 0;) {
        int ret =
            sc_model_detect_batch(job->model, lane, job->frames + i,
                                  job->views ? job->views + i : NULL, 1, job->out + i, &err);
        if (!ret) {
            job->out[i]->batch = job->count;
            continue;
        }
        pthread_mutex_lock(&job->lock);
        if (!job->ret) {
            job->ret = ret;
            job->err = err;
        }
        pthread_mutex_unlock(&job->lock);
    }
}

static void lane_task(void *arg)
{
    struct lanes_job *job = arg;
    pthread_mutex_lock(&job->lock);
    struct sc_model_lane *lane = &job->model->lanes[job->lane++];
    pthread_mutex_unlock(&job->lock);
    work(job, lane);
    pthread_mutex_lock(&job->lock);
    job->working--;
    pthread_cond_signal(&job->idle);
    pthread_mutex_unlock(&job->lock);
}

int sc_model_lanes_detect(sc_model *model, sc_frame *const *frames, const struct sc_view *views,
                          int count, sc_detections **out, sc_err *err)
{
    struct lanes_job job = {.model = model,
                            .frames = frames,
                            .views = views,
                            .out = out,
                            .count = count,
                            .lane = 1};
    pthread_mutex_init(&job.lock, NULL);
    pthread_cond_init(&job.idle, NULL);
    int lanes = count < model->lane_count ? count : model->lane_count;
    pthread_mutex_lock(&job.lock);
    for (int i = 1; i < lanes; i++)
        job.working += sc_pool_post(model->pool, SC_PRIO_NORMAL, lane_task, &job) >= 0;
    pthread_mutex_unlock(&job.lock);
    work(&job, &model->lanes[0]);
    pthread_mutex_lock(&job.lock);
    while (job.working)
        pthread_cond_wait(&job.idle, &job.lock);
    pthread_mutex_unlock(&job.lock);
    pthread_cond_destroy(&job.idle);
    pthread_mutex_destroy(&job.lock);
    if (job.ret < 0 && err)
        *err = job.err;
    return job.ret;
}

static int open_lanes(sc_model *model, sc_onnx *onnx, const struct sc_model_params *params,
                      sc_err *err)
{
    const struct sc_session_params session = {
        .path = params->path, .provider = SC_PROVIDER_CPU, .threads = 1, .half = params->half};
    int ret = sc_session_open(&model->lanes[0].session, onnx, &session, err);
    for (int i = 0; !ret && i < model->lane_count; i++) {
        struct sc_model_lane *lane = &model->lanes[i];
        if (i)
            ret = sc_session_share(&lane->session, model->lanes[0].session, err);
        if (!ret)
            ret = sc_model_lane_open(model, lane, err);
    }
    return ret;
}

int sc_model_lanes_open(sc_model *model, sc_onnx *onnx, const struct sc_model_params *params,
                        sc_err *err)
{
    int lanes = params->threads ? params->threads : sc_cpu_count();
    if (model->info.session->provider != SC_PROVIDER_CPU || model->contract.batch > 1 ||
        model->info.bytes > MOST_BYTES || lanes < 2)
        return SC_OK;
    model->lane_count = lanes < MOST_LANES ? lanes : MOST_LANES;
    model->lanes = sc_xcalloc((size_t)model->lane_count, sizeof(*model->lanes));
    int ret = open_lanes(model, onnx, params, err);
    if (ret < 0)
        return ret;
    struct sc_pool_params pool = {.threads = model->lane_count - 1, .name = "model"};
    model->pool = sc_pool_open(&pool);
    if (!model->pool)
        return sc_fail(err, SC_ENOMEM, "no threads for the model");
    int most = LANE_BATCH * model->lane_count, asked = params->max_batch;
    if (model->contract.batch == 1)
        model->info.max_batch = asked && asked < most ? asked : most;
    return SC_OK;
}

void sc_model_lanes_close(sc_model *model)
{
    sc_pool_close(&model->pool);
    for (int i = model->lane_count; i-- > 0;) // the first one's session is the others' too
        sc_model_lane_close(&model->lanes[i]);
    free(model->lanes);
    model->lanes = NULL;
    model->lane_count = 0;
}
