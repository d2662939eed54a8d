#include "cli/known_models.h"

#include <stddef.h>
#include <string.h>

#define APACHE "Apache-2.0"

// NOLINTBEGIN(bugprone-macro-parentheses): texts that are joined

// Addresses: demo/ONNXRuntime/README.md of the project.
#define YOLOX_PROJECT "https://github.com/Megvii-BaseDetection/YOLOX"
#define YOLOX(file, side)                                                                      \
    {                                                                                          \
        .name = file, .url = YOLOX_PROJECT "/releases/download/0.1.1rc0/" file ".onnx",        \
        .size = side, .licence = APACHE, .project = YOLOX_PROJECT                              \
    }

// The project publishes PyTorch weights, which its export() fetches by itself.
#define RFDETR(id, class, side)                                                                \
    {                                                                                          \
        .name = id, .size = side, .licence = APACHE,                                           \
        .project = "https://github.com/roboflow/rf-detr",                                      \
        .how = "pip install \"rfdetr[onnx]\" && python3 -c 'from rfdetr import " class         \
            "; " class "().export(dynamic_batch=True)'   (writes into ./output)"               \
    }

// Likewise; weights and export script as in README.md of the project.
#define DFINE(id, letter)                                                                      \
    {                                                                                          \
        .name = id, .size = 640, .licence = APACHE,                                            \
        .project = "https://github.com/Peterande/D-FINE",                                      \
        .how = "in a clone of the project, with dfine_" letter "_coco.pth from "               \
               "https://github.com/Peterande/storage/releases/download/dfinev1/dfine_" letter  \
               "_coco.pth: python3 tools/deployment/export_onnx.py --check -c "                \
               "configs/dfine/dfine_hgnetv2_" letter "_coco.yml -r dfine_" letter "_coco.pth"  \
    }

// NOLINTEND(bugprone-macro-parentheses)

const struct sc_known_model sc_known_models[] = {
    YOLOX("yolox_nano", 416),
    YOLOX("yolox_tiny", 416),
    YOLOX("yolox_s", 640),
    YOLOX("yolox_m", 640),
    YOLOX("yolox_l", 640),
    YOLOX("yolox_darknet", 640),
    YOLOX("yolox_x", 640),
    RFDETR("rfdetr_nano", "RFDETRNano", 384),
    RFDETR("rfdetr_small", "RFDETRSmall", 512),
    RFDETR("rfdetr_medium", "RFDETRMedium", 576),
    DFINE("dfine_s", "s"),
    DFINE("dfine_m", "m"),
    DFINE("dfine_l", "l"),
    DFINE("dfine_x", "x"),
    {NULL},
};

const struct sc_known_model *sc_known_model_find(const char *name)
{
    for (const struct sc_known_model *model = sc_known_models; model->name; model++)
        if (!strcmp(model->name, name))
            return model;
    return NULL;
}
