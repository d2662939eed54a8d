// Which family a model is of, told from what it declares; and what is refused.
#include "vision/family.h"

#include "../base/test.h"
#include "facts.h"

struct row {
    const char *family; // NULL = refused
    const char *inputs, *outputs;
    const char *metadata[8];
    int width, height, batch, classes;
};

#define NAMES2 "{0: 'a', 1: 'b'}"

static const struct row rows[] = {
    {"rf-detr",
     "input f32 1,3,384,384",
     "dets f32 1,300,4; labels f32 1,300,91",
     {0},
     384,
     384,
     1,
     91},
    {"rf-detr",
     "input f16 -1,3,560,700",
     "labels f16 -1,300,4; dets f16 -1,300,4",
     {0},
     700,
     560,
     0,
     3},
    {"rf-detr",
     "input f32 1,3,312,312",
     "dets f32 1,100,4; labels f32 1,100,91; masks f32 1,100,78,78",
     {0},
     312,
     312,
     1,
     91},
    {"rf-detr",
     "input f32 4,3,64,64",
     "dets f32 -1,-1,4; labels f32 -1,300,3",
     {0},
     64,
     64,
     4,
     2},
    {NULL, "input f32 1,3,-1,-1", "dets f32 1,300,4; labels f32 1,300,91"},
    {NULL, "input f32 1,3,384,384", "dets f32 1,300,5; labels f32 1,300,91"},
    {NULL, "input f32 1,3,384,384", "dets f32 1,300,4; labels f32 1,200,91"},
    {NULL, "input f32 2,3,384,384", "dets f32 1,300,4; labels f32 1,300,91"},
    {NULL, "input f32 1,1,384,384", "dets f32 1,300,4; labels f32 1,300,91"},
    {NULL, "input u8 1,3,384,384", "dets f32 1,300,4; labels f32 1,300,91"},
    {NULL, "input f32 1,3,384,384", "dets f32 1,300,4; labels i64 1,300,91"},
    {NULL, "image f32 1,3,384,384", "dets f32 1,300,4; labels f32 1,300,91"},
    {NULL, "input f32 1,3,384,384; more f32 1", "dets f32 1,300,4; labels f32 1,300,91"},

    {"yolo", "images f32 1,3,640,640", "output0 f32 1,84,8400", {0}, 640, 640, 1, 80},
    {"yolo", "images f16 1,3,640,640", "output0 f32 1,84,8400", {0}, 640, 640, 1, 80},
    {"yolo", "images f32 -1,3,480,640", "output0 f32 -1,6,6300", {0}, 640, 480, 0, 2},
    {"yolo",
     "images f32 -1,3,-1,-1",
     "output0 f32 -1,84,-1",
     {"imgsz", "[320, 416]"},
     416,
     320,
     0,
     80},
    {"yolo",
     "images f32 -1,3,-1,-1",
     "output0 f32 -1,-1,-1",
     {"names", NAMES2, "task", "detect"},
     640,
     640,
     0,
     2},
    {"yolo", "images f32 1,3,320,320", "output0 f32 1,300,2100", {0}, 320, 320, 1, 296},
    {"yolo", "images f32 1,3,640,640", "output0 f32 1,84,34000", {0}, 640, 640, 1, 80},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,84,8400", {"task", "segment"}},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,84,8400", {"names", NAMES2}},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,116,8400; output1 f32 1,32,160,160"},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,84,8401"},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,4,8400"},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,25200,85"},
    {NULL, "images f32 1,3,600,600", "output0 f32 1,84,8400"},
    {NULL, "images f32 1,3,-1,640", "output0 f32 1,84,-1"},
    {NULL, "images f32 -1,3,-1,-1", "output0 f32 -1,-1,-1"},
    {NULL, "images f32 1,3,640,640", "output0 f32 2,84,8400"},
    {NULL, "images f32 0,3,640,640", "output0 f32 -1,84,8400"},

    {"yolo-e2e", "images f32 1,3,640,640", "output0 f32 1,300,6", {0}, 640, 640, 1, 0},
    {"yolo-e2e",
     "images f16 -1,3,640,640",
     "output0 f32 -1,300,6",
     {"names", NAMES2},
     640,
     640,
     0,
     2},
    {"yolo-e2e",
     "images f32 -1,3,-1,-1",
     "output0 f32 -1,-1,-1",
     {"args", "{'batch': 1, 'imgsz': [640, 640], 'nms': True}", "names", NAMES2},
     640,
     640,
     0,
     2},
    {"yolo-e2e",
     "images f32 -1,3,-1,-1",
     "output0 f32 -1,300,-1",
     {"end2end", "True"},
     640,
     640,
     0,
     0},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,300,6", {"end2end", "False"}},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,1001,6"},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,300,38", {"end2end", "True"}},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,300,7", {"task", "obb"}},

    {"yolox", "images f32 1,3,416,416", "output f32 1,3549,85", {0}, 416, 416, 1, 80},
    {"yolox", "images f16 -1,3,640,1024", "output f16 -1,13440,6", {0}, 1024, 640, 0, 1},
    {"yolox", "images f32 1,3,-1,-1", "output f32 1,-1,85", {0}, 640, 640, 1, 80},
    {NULL, "images f32 1,3,416,416", "output f32 1,3548,85"},
    {NULL, "images f32 1,3,416,416", "output f32 1,3549,5"},
    {NULL, "images f32 1,3,640,640", "output f32 1,25200,85"},

    {"rt-detr",
     "images f32 -1,3,640,640; orig_target_sizes i64 -1,2",
     "labels i64 -1,300; boxes f32 -1,300,4; scores f32 -1,300",
     {0},
     640,
     640,
     0,
     0},
    {"rt-detr",
     "orig_target_sizes i64 1,2; images f16 1,3,320,640",
     "scores f16 1,300; labels i64 1,300; boxes f16 1,300,4",
     {0},
     640,
     320,
     1,
     0},
    {NULL, "images f32 1,3,640,640; orig_target_sizes i32 1,2",
     "labels i64 1,300; boxes f32 1,300,4; scores f32 1,300"},
    {NULL, "images f32 1,3,640,640", "labels i64 1,300; boxes f32 1,300,4; scores f32 1,300"},
    {NULL, "images f32 1,3,640,640; orig_target_sizes i64 1,2",
     "labels i64 1,300; boxes f32 1,200,4; scores f32 1,300"},

    {"rt-detr-ultralytics",
     "images f32 1,3,640,640",
     "output0 f32 1,300,84",
     {0},
     640,
     640,
     1,
     80},
    {"rt-detr-ultralytics",
     "images f32 -1,3,-1,-1",
     "output0 f32 -1,300,84",
     {0},
     640,
     640,
     0,
     80},
    {"rt-detr-ultralytics",
     "images f32 1,3,640,640",
     "output0 f32 1,300,6",
     {"description", "Ultralytics rtdetr-l model", "names", NAMES2},
     640,
     640,
     1,
     2},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,299,84"},
    {NULL, "images f32 1,3,640,640", "output0 f32 1,300,84", {"names", NAMES2}},

    {NULL, "x f32 1", "y f32 1"},
    {NULL, "", ""},
};

static void check_row(const struct row *row)
{
    struct facts facts = facts_make(row->inputs, row->outputs);
    struct sc_contract c;
    sc_err err = {0};
    memcpy(facts.metadata, row->metadata, sizeof(row->metadata));
    int ret = facts_find(&facts, &c, &err);
    const char *found = ret ? NULL : c.family->name;
    if (ret != (row->family ? SC_OK : SC_EUNSUPPORTED) ||
        (found && strcmp(found, row->family) != 0))
        fail_msg("%s -> %s: %s, not %s (%s)", row->inputs, row->outputs,
                 found ? found : "refused", row->family ? row->family : "refused", err.text);
    if (!ret && (c.prepare.width != row->width || c.prepare.height != row->height ||
                 c.batch != row->batch || c.classes != row->classes))
        fail_msg("%s -> %s: %dx%d, batch %d, %d classes", row->inputs, row->outputs,
                 c.prepare.width, c.prepare.height, c.batch, c.classes);
    if (ret)
        assert_string_not_equal(err.text, "");
    sc_contract_release(&c);
    sc_contract_release(&c);
}

static void families_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_row(&rows[i]);
}

static struct sc_contract contract_of(const char *inputs, const char *outputs, const char *key,
                                      const char *value)
{
    struct facts facts = facts_make(inputs, outputs);
    struct sc_contract c;
    sc_err err = {0};
    facts.metadata[0] = key;
    facts.metadata[1] = value;
    if (facts_find(&facts, &c, &err))
        fail_msg("%s", err.text);
    return c;
}

static void preparation_is_the_familys(void **state)
{
    (void)state;
    struct sc_contract c = contract_of("input f16 1,3,384,384",
                                       "dets f32 1,300,4; labels f32 1,300,91", NULL, NULL);
    assert_int_equal(c.prepare.fit, SC_PREPARE_STRETCH);
    assert_int_equal(c.prepare.type, SC_FLOAT16);
    assert_float_equal(c.prepare.scale, 1 / 255.0, 1e-9);
    assert_float_equal(c.prepare.mean[0], 0.485, 1e-6);
    assert_float_equal(c.prepare.std[2], 0.225, 1e-6);
    assert_false(c.prepare.antialias || c.prepare.bgr);
    assert_float_equal(c.iou, 0, 0);

    c = contract_of("images f32 1,3,640,640", "output0 f32 1,84,8400", NULL, NULL);
    assert_int_equal(c.prepare.fit, SC_PREPARE_LETTERBOX);
    assert_int_equal(c.prepare.pad, 114);
    assert_float_equal(c.prepare.scale, 1 / 255.0, 1e-9);
    assert_float_equal(c.iou, 0.7, 1e-9);
    assert_float_equal(c.threshold, 0.25, 1e-9);
    assert_int_equal(c.most, 300);

    c = contract_of("images f32 1,3,416,416", "output f32 1,3549,85", NULL, NULL);
    assert_int_equal(c.prepare.fit, SC_PREPARE_LETTERBOX_TOP_LEFT);
    assert_int_equal(c.prepare.pad, 114);
    assert_float_equal(c.prepare.scale, 1, 0);
    assert_true(c.prepare.bgr);
    assert_float_equal(c.iou, 0.45, 1e-9);

    c = contract_of("images f32 1,3,640,640; orig_target_sizes i64 1,2",
                    "labels i64 1,300; boxes f32 1,300,4; scores f32 1,300", NULL, NULL);
    assert_int_equal(c.prepare.fit, SC_PREPARE_STRETCH);
    assert_int_equal(c.sizes, 1);
    assert_float_equal(c.prepare.std[0], 0, 0);
}

#define RFDETR "input f32 -1,3,384,384"

static void rfdetr_metadata_wins(void **state)
{
    (void)state;
    const char *key = "rfdetr_inference", *outputs = "dets f32 -1,300,4; labels f32 -1,300,4";
    struct sc_contract c = contract_of(
        RFDETR, outputs, key,
        "{\"class_id_to_name\": {\"0\": \"cat\", \"2\": \"dog\"}, \"num_select\": 7,"
        "\"max_batch_size\": 5, \"means\": [0, 0.5, 1], \"stds\": [1, 2, 3]}");
    assert_true(c.drop_last);
    assert_int_equal(c.classes, 3);
    assert_string_equal(c.labels_text, "cat\n1\ndog\n");
    assert_int_equal(c.most, 7);
    assert_int_equal(c.batch_most, 5);
    assert_float_equal(c.prepare.mean[1], 0.5, 0);
    assert_float_equal(c.prepare.std[2], 3, 0);
    sc_contract_release(&c);

    // The last slot is a class where it has a name, as in COCO's numbering.
    c = contract_of(RFDETR, outputs, key,
                    "{\"class_id_to_name\": {\"1\": \"a\", \"3\": \"b\"}}");
    assert_false(c.drop_last);
    assert_int_equal(c.classes, 4);
    assert_string_equal(c.labels_text, "0\na\n2\nb\n");
    sc_contract_release(&c);

    c = contract_of(RFDETR, outputs, key, "{\"class_names\": [\"a\", \"b\", \"c\"]}");
    assert_true(c.drop_last);
    assert_string_equal(c.labels_text, "a\nb\nc\n");
    sc_contract_release(&c);

    // 91 slots are COCO's unless the names say otherwise; labels may.
    c = contract_of(RFDETR, "dets f32 -1,300,4; labels f32 -1,300,91", NULL, NULL);
    assert_false(c.drop_last);
    assert_true(c.last_unsure);
}

static void rfdetr_metadata_is_refused_where_it_contradicts(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"class_id_to_name\": {\"4\": \"beyond\"}}",
        "{\"means\": [1, 2]}",
        "{\"stds\": [1, 0, 1]}",
        "{\"task\": \"backbone\"}",
        "{\"box_format\": \"xyxy\"}",
        "{\"channel_order\": \"BGR\"}",
        "{\"task\": 1}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct facts facts = facts_make(RFDETR, "dets f32 -1,300,4; labels f32 -1,300,4");
        struct sc_contract c;
        facts.metadata[0] = "rfdetr_inference";
        facts.metadata[1] = bad[i];
        if (facts_find(&facts, &c, NULL) != SC_EUNSUPPORTED)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void yolox_takes_names_that_fit(void **state)
{
    (void)state;
    struct sc_contract c =
        contract_of("images f32 1,3,416,416", "output f32 1,3549,7", "names", NAMES2);
    assert_non_null(c.labels_text);
    sc_contract_release(&c);
    c = contract_of("images f32 1,3,416,416", "output f32 1,3549,85", "names", NAMES2);
    assert_null(c.labels_text);
    sc_contract_release(&c);
}

static void names_come_from_metadata(void **state)
{
    (void)state;
    struct sc_contract c = contract_of("images f32 1,3,640,640", "output0 f32 1,6,8400",
                                       "names", "{0: 'it''s', 1: \"b\"}");
    // Two strings in a row are no dict that repr() writes.
    assert_null(c.labels_text);
    assert_true(c.unreadable);
    sc_contract_release(&c);
    c = contract_of("images f32 1,3,640,640", "output0 f32 1,6,8400", "names",
                    "{0: 'a', 1: \"it's\"}");
    assert_string_equal(c.labels_text, "a\nit's\n");
    assert_false(c.unreadable);
    sc_contract_release(&c);
}

static void the_error_lists_all(void **state)
{
    (void)state;
    struct facts facts = facts_make("picture f32 1,3,640,640", "boxes f16 -1,100,4; n i64 1");
    struct sc_contract c;
    sc_err err = {0};
    assert_int_equal(facts_find(&facts, &c, &err), SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "picture float32(1,3,640,640)"));
    assert_non_null(strstr(err.text, "boxes float16(?,100,4), n int64(1)"));
    for (int i = 0; sc_families[i]; i++) {
        assert_non_null(strstr(err.text, sc_families[i]->name));
        assert_non_null(strstr(err.text, sc_families[i]->wants));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_told_apart),
        cmocka_unit_test(preparation_is_the_familys),
        cmocka_unit_test(rfdetr_metadata_wins),
        cmocka_unit_test(rfdetr_metadata_is_refused_where_it_contradicts),
        cmocka_unit_test(names_come_from_metadata),
        cmocka_unit_test(yolox_takes_names_that_fit),
        cmocka_unit_test(the_error_lists_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
