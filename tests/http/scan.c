// A scan tells its results in order, no further ahead than it may, and ends when it is told to.
#include "http/api/scan.h"

#include <pthread.h>
#include <unistd.h>

#include "../app/fake_detector.h"
#include "../base/test.h"
#include "base/clock.h"
#include "fake_app.h"

struct listener {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    size_t told, limit; // ready() while told < limit
    bool in_order, ended, cancelled, released;
    int failed;
};

static sc_app *app;
static sc_timers *timers;

static int64_t frame(void *arg, size_t i)
{
    (void)arg;
    return (int64_t)i * 2;
}

static bool ready(void *arg)
{
    struct listener *l = arg;
    pthread_mutex_lock(&l->lock);
    bool may = l->told < l->limit;
    pthread_mutex_unlock(&l->lock);
    return may;
}

static void on_result(void *arg, size_t i, int ret, const sc_detections *found,
                      const sc_err *err)
{
    struct listener *l = arg;
    (void)err;
    pthread_mutex_lock(&l->lock);
    l->in_order &= i == l->told && (ret || found->items[0].x1 == (float)frame(NULL, i));
    l->failed += ret != 0;
    l->told++;
    pthread_cond_broadcast(&l->cond);
    pthread_mutex_unlock(&l->lock);
}

static void on_end(void *arg, bool cancelled)
{
    struct listener *l = arg;
    pthread_mutex_lock(&l->lock);
    l->ended = true;
    l->cancelled = cancelled;
    pthread_cond_broadcast(&l->cond);
    pthread_mutex_unlock(&l->lock);
}

static void release(void *arg)
{
    struct listener *l = arg;
    pthread_mutex_lock(&l->lock);
    l->released = true;
    pthread_cond_broadcast(&l->cond);
    pthread_mutex_unlock(&l->lock);
}

static sc_instance *load(void)
{
    sc_models *models = sc_app_models(app);
    sc_model_upload *up;
    sc_instance *instance;
    assert_int_equal(sc_model_upload_open(&up, models, 0, NULL), 0);
    assert_int_equal(sc_model_upload_write(up, "good 0", 6, NULL), 0);
    assert_int_equal(
        sc_model_upload_finish(&up, &(struct sc_model_upload_params){.name = "m"}, NULL), 0);
    while (sc_models_acquire(models, "m", &instance, NULL))
        usleep(1000);
    return instance;
}

static int setup(void **state)
{
    struct listener *l = sc_new(struct listener);
    *l = (struct listener){.limit = 1000, .in_order = true};
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->cond, NULL);
    fake_app_open(&app, 1000);
    timers = sc_timers_open();
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    sc_timers_stop(timers);
    sc_timers_close(&timers); // waits for the scan's hold
    assert_true(((struct listener *)*state)->released);
    fake_app_close(&app);
    free(*state);
    return 0;
}

static sc_scan *start(struct listener *l, size_t count, bool patient)
{
    sc_video *video = sc_videos_get(sc_app_videos(app), "clip");
    sc_instance *instance = load();
    sc_scan *scan = sc_scan_new(&(struct sc_scan_params){.app = app,
                                                         .timers = timers,
                                                         .video = video,
                                                         .instance = instance,
                                                         .frame = frame,
                                                         .count = count,
                                                         .patient = patient,
                                                         .ready = ready,
                                                         .on_result = on_result,
                                                         .on_end = on_end,
                                                         .arg = l,
                                                         .release = release});
    sc_video_unref(&video);
    sc_instance_unref(&instance);
    sc_scan_pump(scan);
    return scan;
}

static void await(struct listener *l, size_t told, bool ended)
{
    pthread_mutex_lock(&l->lock);
    while (l->told < told || l->ended < ended)
        pthread_cond_wait(&l->cond, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

static void test_in_order(void **state)
{
    struct listener *l = *state;
    fake.delay_ns = SC_NS_PER_MS;
    fake.detect_busy = 7;
    sc_scan *scan = start(l, 100, true);
    await(l, 100, true);
    assert_true(l->in_order);
    assert_int_equal(l->failed, 0);
    assert_false(l->cancelled);
    sc_scan_unref(&scan);
}

static void test_who_does_not_read_is_not_worked_for(void **state)
{
    struct listener *l = *state;
    l->limit = 10;
    sc_scan *scan = start(l, 200, true);
    await(l, 10, false);
    usleep(50000);
    int detected = atomic_load(&fake.detected);
    assert_true(detected < 10 + 2 * 4 + 1); // the window
    usleep(50000);
    assert_int_equal(atomic_load(&fake.detected), detected);
    assert_false(l->ended);
    pthread_mutex_lock(&l->lock);
    l->limit = 1000;
    pthread_mutex_unlock(&l->lock);
    sc_scan_pump(scan);
    await(l, 200, true);
    assert_true(l->in_order);
    sc_scan_unref(&scan);
}

static void test_cancel(void **state)
{
    struct listener *l = *state;
    fake.delay_ns = 5 * SC_NS_PER_MS;
    sc_scan *scan = start(l, 1000 / 2, true);
    await(l, 5, false);
    sc_scan_cancel(scan);
    sc_scan_cancel(scan);
    await(l, 5, true);
    assert_true(l->cancelled);
    assert_true(l->told < 100);
    sc_scan_unref(&scan);
}

static void test_impatient_ones_are_told(void **state)
{
    struct listener *l = *state;
    fake.detect_busy = 3;
    sc_scan *scan = start(l, 20, false);
    await(l, 20, true);
    assert_int_equal(l->failed, 3);
    assert_false(l->cancelled);
    sc_scan_unref(&scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_does_not_read_is_not_worked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impatient_ones_are_told, setup, teardown),
    };
    return cmocka_run_group_tests_name("http/scan", tests, NULL, NULL);
}
