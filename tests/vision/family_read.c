// What each family makes of output values, and which values it refuses.
#include <math.h>
#include <stdlib.h>

#include "../base/test.h"
#include "facts.h"

// One model with its outputs' memory, all zero at first.
struct model {
    struct sc_contract c;
    struct sc_tensor out[3];
    struct sc_candidates found;
};

static void *shape(struct sc_tensor *t, enum sc_element type, int rank, int d0, int d1, int d2)
{
    *t = (struct sc_tensor){.type = type, .rank = rank, .dims = {d0, d1, d2}};
    t->size = sc_element_size(type) * (size_t)d0 * (size_t)d1 * (size_t)(rank > 2 ? d2 : 1);
    t->data = calloc(1, t->size);
    return t->data;
}

static void open_model(struct model *m, const char *inputs, const char *outputs)
{
    struct facts facts = facts_make(inputs, outputs);
    sc_err err = {0};
    *m = (struct model){.found = {.most = SC_CANDIDATES_MOST}};
    if (facts_find(&facts, &m->c, &err))
        fail_msg("%s", err.text);
}

static void close_model(struct model *m)
{
    for (int i = 0; i < 3; i++)
        free(m->out[i].data);
    sc_candidates_release(&m->found);
    sc_contract_release(&m->c);
}

static int check(struct model *m, int count)
{
    return m->c.family->check(&m->c, m->out, count, NULL);
}

static int read(struct model *m, int i, double floor)
{
    m->found.count = 0;
    m->found.seen = 0;
    return m->c.family->read(&m->c, m->out, i, (float)floor, &m->found);
}

static void is_box(const struct sc_detection *d, double x1, double y1, double x2, double y2,
                   double score, int class)
{
    assert_float_equal(d->x1, x1, 1e-3);
    assert_float_equal(d->y1, y1, 1e-3);
    assert_float_equal(d->x2, x2, 1e-3);
    assert_float_equal(d->y2, y2, 1e-3);
    assert_float_equal(d->score, score, 1e-5);
    assert_int_equal(d->class, class);
}

static void rfdetr(void **state)
{
    (void)state;
    struct model m;
    open_model(&m, "input f32 -1,3,64,128", "dets f32 -1,3,4; labels f32 -1,3,4");
    float *dets = shape(&m.out[0], SC_FLOAT32, 3, 2, 3, 4);
    float *logits = shape(&m.out[1], SC_FLOAT32, 3, 2, 3, 4);
    for (int i = 0; i < 24; i++)
        logits[i] = -10;
    const float box[] = {0.5f, 0.25f, 0.5f, 0.25f};
    memcpy(dets + 16, box, sizeof(box)); // second picture, second query
    logits[16] = 0;                      // class 0: 0.5
    logits[18] = 2;                      // class 2: another object of the same query
    logits[19] = 9;                      // 'no object'
    assert_int_equal(check(&m, 2), SC_OK);
    assert_int_equal(check(&m, 1), SC_EDATA);
    assert_int_equal(read(&m, 0, 0.05), SC_OK);
    assert_int_equal(m.found.count, 0);
    assert_int_equal(read(&m, 1, 0.05), SC_OK);
    assert_int_equal(m.found.count, 2);
    is_box(&m.found.items[0], 32, 8, 96, 24, 0.5, 0);
    is_box(&m.found.items[1], 32, 8, 96, 24, 1 / (1 + exp(-2)), 2);
    assert_int_equal(read(&m, 1, 0.6), SC_OK);
    assert_int_equal(m.found.count, 1);
    logits[18] = NAN;
    assert_int_equal(read(&m, 1, 0.6), SC_OK);
    assert_int_equal(m.found.count, 0);
    for (int i = 0; i < 24; i++)
        dets[i] = 100; // pixels, not parts
    assert_int_equal(check(&m, 2), SC_EDATA);
    close_model(&m);
}

static void yolo(void **state)
{
    (void)state;
    enum { A = 16 + 4 + 1 };
    struct model m;
    open_model(&m, "images f32 -1,3,32,32", "output0 f32 -1,7,21");
    float *rows = (float *)shape(&m.out[0], SC_FLOAT32, 3, 2, 7, A) + 7 * A;
    const float box[] = {10, 20, 4, 6};
    for (int k = 0; k < 4; k++)
        rows[k * A + 20] = box[k];
    rows[4 * A + 20] = 0.3f;
    rows[5 * A + 20] = 0.8f;
    rows[6 * A + 20] = 0.8f; // the first of equals
    assert_int_equal(check(&m, 2), SC_OK);
    assert_int_equal(read(&m, 0, 0.05), SC_OK);
    assert_int_equal(m.found.count, 0);
    assert_int_equal(read(&m, 1, 0.05), SC_OK);
    assert_int_equal(m.found.count, 1);
    is_box(&m.found.items[0], 8, 17, 12, 23, 0.8, 1);
    rows[4 * A + 20] = NAN;
    assert_int_equal(read(&m, 1, 0.05), SC_OK);
    assert_int_equal(m.found.count, 1);
    assert_int_equal(check(&m, 2), SC_EDATA);
    rows[4 * A + 20] = 3; // a logit
    assert_int_equal(check(&m, 2), SC_EDATA);
    close_model(&m);
}

// More predictions than one block holds, all of them objects.
static void yolo_in_blocks(void **state)
{
    (void)state;
    enum { A = 2100 };
    struct model m;
    open_model(&m, "images f32 1,3,320,320", "output0 f32 1,6,2100");
    float *rows = shape(&m.out[0], SC_FLOAT32, 3, 1, 6, A);
    for (int a = 0; a < A; a++) {
        rows[a] = (float)a;
        rows[A + a] = rows[2 * A + a] = rows[3 * A + a] = 2;
        rows[(4 + a % 2) * A + a] = 0.1f + (float)a / 4000;
    }
    assert_int_equal(check(&m, 1), SC_OK);
    assert_int_equal(read(&m, 0, 0.05), SC_OK);
    assert_int_equal(m.found.count, A);
    for (int a = 0; a < A; a++)
        is_box(&m.found.items[a], a - 1, 1, a + 1, 3, 0.1 + a / 4000.0, a % 2);
    close_model(&m);
}

static void yolo_checks_open_sizes(void **state)
{
    (void)state;
    struct model m;
    open_model(&m, "images f32 -1,3,-1,-1", "output0 f32 -1,6,-1");
    shape(&m.out[0], SC_FLOAT32, 3, 1, 6, 8400);
    assert_int_equal(check(&m, 1), SC_OK);
    m.out[0].dims[2] = 8399;
    assert_int_equal(check(&m, 1), SC_EDATA);
    m.out[0].dims[1] = 8400;
    m.out[0].dims[2] = 6;
    assert_int_equal(check(&m, 1), SC_EDATA);
    close_model(&m);
}

static void yolo_e2e(void **state)
{
    (void)state;
    struct model m;
    open_model(&m, "images f32 1,3,64,64", "output0 f32 1,3,6");
    float *rows = shape(&m.out[0], SC_FLOAT32, 3, 1, 3, 6);
    const float box[] = {1, 2, 30, 40, 0.75f, 5};
    memcpy(rows, box, sizeof(box));
    memcpy(rows + 6, box, sizeof(box));
    rows[10] = 0.01f;
    assert_int_equal(check(&m, 1), SC_OK);
    assert_int_equal(read(&m, 0, 0.05), SC_OK);
    assert_int_equal(m.found.count, 1);
    is_box(&m.found.items[0], 1, 2, 30, 40, 0.75, 5);
    m.c.classes = 5; // as settled by labels
    assert_int_equal(read(&m, 0, 0.05), SC_EDATA);
    rows[5] = 1.5f;
    assert_int_equal(check(&m, 1), SC_EDATA);
    rows[5] = -1;
    assert_int_equal(check(&m, 1), SC_EDATA);
    rows[5] = 1;
    rows[4] = 70;
    assert_int_equal(check(&m, 1), SC_EDATA);
    close_model(&m);
}

// 64x64: 8x8 + 4x4 + 2x2 rows.
static void yolox(void **state)
{
    (void)state;
    struct model m;
    open_model(&m, "images f32 -1,3,64,64", "output f32 -1,84,7");
    float *rows = (float *)shape(&m.out[0], SC_FLOAT32, 3, 2, 84, 7) + 84 * 7;
    float *row = rows + (64 + 4 + 2) * 7; // stride 16, cell (2, 1)
    const float box[] = {0.5f, 0.25f, logf(2), logf(3), 0.5f, 0.1f, 0.8f};
    memcpy(row, box, sizeof(box));
    memcpy(rows, box, sizeof(box));
    rows[4] = 0.04f; // below the floor whatever the class
    assert_int_equal(check(&m, 2), SC_OK);
    assert_false(m.c.decoded);
    assert_int_equal(read(&m, 1, 0.05), SC_OK);
    assert_int_equal(m.found.count, 1);
    is_box(&m.found.items[0], 40 - 16, 20 - 24, 40 + 16, 20 + 24, 0.4, 1);
    row[2] = 1000; // exp() overflows
    assert_int_equal(read(&m, 1, 0.05), SC_OK);
    assert_int_equal(m.found.count, 0);
    row[6] = 7;
    assert_int_equal(check(&m, 2), SC_EDATA);
    close_model(&m);
}

static void yolox_decoded(void **state)
{
    (void)state;
    struct model m;
    open_model(&m, "images f32 1,3,64,64", "output f32 1,84,7");
    float *row = shape(&m.out[0], SC_FLOAT32, 3, 1, 84, 7);
    for (int stride = 8, a = 0; stride <= 32; stride *= 2)
        for (int y = 0; y < 64 / stride; y++)
            for (int x = 0; x < 64 / stride; x++, a++) {
                row[a * 7] = ((float)x + 0.3f) * (float)stride;
                row[a * 7 + 1] = ((float)y + 0.6f) * (float)stride;
                row[a * 7 + 2] = row[a * 7 + 3] = (float)stride;
            }
    row[83 * 7 + 4] = row[83 * 7 + 5] = 1; // stride 32, cell (1, 1)
    assert_int_equal(check(&m, 1), SC_OK);
    assert_true(m.c.decoded);
    assert_int_equal(read(&m, 0, 0.05), SC_OK);
    assert_int_equal(m.found.count, 1);
    is_box(&m.found.items[0], 41.6 - 16, 51.2 - 16, 41.6 + 16, 51.2 + 16, 1, 0);
    for (int a = 0; a < 84; a++)
        row[a * 7] = row[a * 7 + 1] = 500;
    assert_int_equal(check(&m, 1), SC_EDATA);
    close_model(&m);
}

static void detr(void **state)
{
    (void)state;
    struct model m;
    open_model(&m, "images f32 -1,3,64,64; orig_target_sizes i64 -1,2",
               "labels i64 -1,2; boxes f32 -1,2,4; scores f32 -1,2");
    int64_t *labels = shape(&m.out[0], SC_INT64, 2, 2, 2, 0);
    float *boxes = shape(&m.out[1], SC_FLOAT32, 3, 2, 2, 4);
    float *scores = shape(&m.out[2], SC_FLOAT32, 2, 2, 2, 0);
    const float box[] = {1, 2, 30, 40};
    memcpy(boxes + 12, box, sizeof(box));
    labels[3] = 17;
    scores[3] = 0.9f;
    assert_int_equal(check(&m, 2), SC_OK);
    assert_int_equal(read(&m, 0, 0.05), SC_OK);
    assert_int_equal(m.found.count, 0);
    assert_int_equal(read(&m, 1, 0.05), SC_OK);
    assert_int_equal(m.found.count, 1);
    is_box(&m.found.items[0], 1, 2, 30, 40, 0.9, 17);
    labels[3] = -1;
    assert_int_equal(check(&m, 2), SC_EDATA);
    assert_int_equal(read(&m, 1, 0.05), SC_EDATA);
    labels[3] = 0;
    scores[3] = 2;
    assert_int_equal(check(&m, 2), SC_EDATA);
    scores[3] = 0;
    m.out[2].dims[1] = 1;
    assert_int_equal(check(&m, 2), SC_EDATA);
    close_model(&m);
}

static void rtdetr_ultralytics(void **state)
{
    (void)state;
    struct model m;
    open_model(&m, "images f32 1,3,64,128", "output0 f32 1,300,7");
    float *row = (float *)shape(&m.out[0], SC_FLOAT32, 3, 1, 300, 7) + 299 * 7;
    const float box[] = {0.5f, 0.5f, 0.25f, 0.5f, 0.1f, 0.2f, 0.9f};
    memcpy(row, box, sizeof(box));
    assert_int_equal(check(&m, 1), SC_OK);
    assert_int_equal(read(&m, 0, 0.05), SC_OK);
    assert_int_equal(m.found.count, 1);
    is_box(&m.found.items[0], 48, 16, 80, 48, 0.9, 2);
    row[4] = 1.5f;
    assert_int_equal(check(&m, 1), SC_EDATA);
    close_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfdetr),
        cmocka_unit_test(yolo),
        cmocka_unit_test(yolo_in_blocks),
        cmocka_unit_test(yolo_checks_open_sizes),
        cmocka_unit_test(yolo_e2e),
        cmocka_unit_test(yolox),
        cmocka_unit_test(yolox_decoded),
        cmocka_unit_test(detr),
        cmocka_unit_test(rtdetr_ultralytics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
