"""Small detectors, one or more a family, that really look at their picture.

Each finds the bounding box of three things: what is red (class 0), white (class 1), and of the
letterbox's grey 114 (class 2). Scores are measured too, so that a wrong channel order, range,
mean or padding shows: 0.8 times redness, 0.9 times whiteness, 0.7 for grey.
"""
import numpy
from onnx import TensorProto, helper

from graphs import constant, model, value

MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OBJECTS = 3


class Graph:
    """Nodes and constants, written as expressions."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def op(self, kind, *inputs, name=None, **attributes):
        inputs = [i if isinstance(i, str) else self.const(i) for i in inputs]
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def const(self, array):
        if not isinstance(array, numpy.ndarray):
            array = numpy.asarray(array, "float32")
        name = f"c{len(self.constants)}"
        self.constants.append(constant(name, array))
        return name

    def ints(self, *numbers):
        return self.const(numpy.asarray(numbers, "int64"))

    def cast(self, x, kind):
        return self.op("Cast", x, to=getattr(TensorProto, kind))

    def shape(self, x, axis):
        """One size of x, as int64 of rank 1."""
        return self.op("Gather", self.op("Shape", x), self.ints(axis))


def pixels(g, image, kind, scale, bgr, normalised):
    """The input as R, G, B of 0..1: three tensors (B,1,H,W)."""
    x = g.cast(image, "FLOAT") if kind == "FLOAT16" else image
    x = g.op("Mul", x, scale)
    if normalised:
        x = g.op("Mul", x, numpy.asarray(DEVIATIONS, "float32").reshape(1, 3, 1, 1))
        x = g.op("Add", x, numpy.asarray(MEANS, "float32").reshape(1, 3, 1, 1))
    planes = [g.op("Slice", x, g.ints(i), g.ints(i + 1), g.ints(1)) for i in range(3)]
    return planes[::-1] if bgr else planes


def above(g, x, limit):
    return g.cast(g.op("Greater", x, limit), "FLOAT")


def ends(g, mask, image, axis):
    """First and last + 1 of the mask along an axis, (B,1): the size and 0 where it is empty."""
    profile = g.op("ReduceMax", mask, axes=[5 - axis], keepdims=0)
    size = g.shape(image, axis)
    up = g.cast(g.op("Range", g.op("Squeeze", g.ints(0)), g.op("Squeeze", size),
                     g.op("Squeeze", g.ints(1))), "FLOAT")
    size = g.cast(size, "FLOAT")
    down = g.op("Sub", size, up)
    last = g.op("ReduceMax", g.op("Mul", profile, g.op("Add", up, 1)), axes=[2], keepdims=0)
    first = g.op("ReduceMax", g.op("Mul", profile, down), axes=[2], keepdims=0)
    return g.op("Sub", size, first), last


def measure(g, mask, amount):
    return g.op("ReduceMax", g.op("Mul", mask, amount), axes=[2, 3], keepdims=0)


def sight(g, image, kind, scale=1.0, bgr=False, normalised=False):
    """Corners x1, y1, x2, y2 (each (B,3), tensor pixels) and scores (B,3)."""
    r, green, b = pixels(g, image, kind, scale, bgr, normalised)
    dark = g.op("Max", green, b)
    redness = g.op("Sub", r, dark)
    light = g.op("Min", r, green, b)
    too_light = g.op("Abs", g.op("Sub", light, 1.0))
    off = g.op("Max", *(g.op("Abs", g.op("Sub", p, 114 / 255)) for p in (r, green, b)))
    red = above(g, redness, 0.5)
    white = above(g, light, 0.8)
    grey = above(g, g.op("Neg", off), -0.004)
    scores = g.op("Concat",
                  g.op("Mul", measure(g, red, g.op("Clip", redness, 0.0, 1.0)), 0.8),
                  g.op("Mul", measure(g, white, g.op("Sub", 1.0, too_light)), 0.9),
                  measure(g, grey, 0.7), axis=1)
    xs = [ends(g, mask, image, 3) for mask in (red, white, grey)]
    ys = [ends(g, mask, image, 2) for mask in (red, white, grey)]
    corners = [g.op("Concat", *parts, axis=1)
               for parts in ([x[0] for x in xs], [y[0] for y in ys], [x[1] for x in xs],
                             [y[1] for y in ys])]
    return corners, scores


def centred(g, corners):
    """cx, cy, w, h; the size of nothing is 1, so that it has a logarithm."""
    x1, y1, x2, y2 = corners
    w, h = (g.op("Max", g.op("Sub", b, a), 1) for a, b in ((x1, x2), (y1, y2)))
    return (g.op("Mul", g.op("Add", x1, x2), 0.5), g.op("Mul", g.op("Add", y1, y2), 0.5), w, h)


def columns(g, parts):
    """(B,3) each -> (B,3,len(parts))."""
    return g.op("Concat", *(g.op("Unsqueeze", p, g.ints(2)) for p in parts), axis=2)


def one_hot(g, scores, classes):
    """(B,3) -> (B,3,classes): object i is of class i."""
    eye = numpy.eye(OBJECTS, classes, dtype="float32")
    return g.op("Mul", g.op("Unsqueeze", scores, g.ints(2)), eye)


def pad_rows(g, rows, total, fill=0.0):
    """(B,3,K) -> (B,total,K); total is a number or a tensor."""
    more = (g.ints(total - OBJECTS) if isinstance(total, int)
            else g.op("Sub", total, g.ints(OBJECTS)))
    pads = g.op("Concat", g.ints(0, 0, 0, 0), more, g.ints(0), axis=0)
    return g.op("Pad", rows, pads, fill)


def sizes_divided(g, image):
    """w, h, w, h of the tensor as float32 (4)."""
    w, h = g.shape(image, 3), g.shape(image, 2)
    return g.cast(g.op("Concat", w, h, w, h, axis=0), "FLOAT")


def finish(g, inputs, outputs, metadata=None):
    return model(g.nodes, inputs, outputs, g.constants, metadata)


def emit(g, x, name, kind):
    """The output's name at its type."""
    return g.op("Cast", x, name=name, to=getattr(TensorProto, kind))


def anchors_of(g, image):
    """21 a square of 32, as strides 8, 16, 32 give."""
    cells = g.op("Mul", g.op("Div", g.shape(image, 2), g.ints(32)),
                 g.op("Div", g.shape(image, 3), g.ints(32)))
    return g.op("Mul", cells, g.ints(21))


def yolo(batch=1, h=64, w=64, kind="FLOAT", out="FLOAT", metadata=None, more=0, gain=1.0,
         classes=4, first_only=False, fixed_reshape=False):
    g = Graph()
    corners, scores = sight(g, "images", kind)
    rows = g.op("Concat", columns(g, centred(g, corners)),
                one_hot(g, g.op("Mul", scores, gain), classes), axis=2)
    rows = pad_rows(g, rows, g.op("Add", anchors_of(g, "images"), g.ints(more)))
    if first_only:
        rows = g.op("Slice", rows, g.ints(0), g.ints(1), g.ints(0))
    if fixed_reshape:
        rows = g.op("Reshape", rows, g.ints(1, -1, 4 + classes))
    emit(g, g.op("Transpose", rows, perm=[0, 2, 1]), "output0", out)
    anchors = h // 32 * (w // 32) * 21 if isinstance(h, int) else "anchors"
    return finish(g, [value("images", (batch, 3, h, w), kind)],
                  [value("output0", (batch, 4 + classes, anchors), out)], metadata)


def yolo_e2e(batch=1, h=64, w=64, kind="FLOAT", out="FLOAT", metadata=None, rows=300, declared=None,
             class_step=1, by_picture=False):
    g = Graph()
    corners, scores = sight(g, "images", kind)
    classes = g.op("Mul", g.op("Add", g.op("Mul", scores, 0.0), numpy.arange(3, dtype="float32")),
                   float(class_step))
    found = columns(g, [*corners, scores, classes])
    total = rows
    if by_picture:
        any_red = g.op("ReduceMax", g.op("Slice", scores, g.ints(0), g.ints(1), g.ints(1)),
                       axes=[0, 1], keepdims=0)
        total = g.op("Add", g.op("Reshape", g.cast(g.op("Ceil", any_red), "INT64"), g.ints(1)),
                     g.ints(rows))
    emit(g, pad_rows(g, found, total), "output0", out)
    return finish(g, [value("images", (batch, 3, h, w), kind)],
                  [value("output0", declared or (batch, rows, 6), out)], metadata)


def yolox(batch=1, h=64, w=64, kind="FLOAT", out="FLOAT", decoded=False, shift=0.0):
    g = Graph()
    corners, scores = sight(g, "images", kind, scale=1 / 255, bgr=True)
    cx, cy, bw, bh = centred(g, corners)
    if not decoded:
        # Object i in cell (i, 0) of stride 8.
        cx = g.op("Sub", g.op("Mul", cx, 1 / 8), numpy.arange(3, dtype="float32"))
        cy = g.op("Mul", cy, 1 / 8)
        bw, bh = (g.op("Log", g.op("Mul", v, 1 / 8)) for v in (bw, bh))
    rows = g.op("Concat", columns(g, [cx, cy, bw, bh, scores]),
                one_hot(g, g.op("Add", g.op("Mul", scores, 0.0), 1), 4), axis=2)
    rows = pad_rows(g, rows, anchors_of(g, "images"))
    grid = [[(x + 0.5) * s if decoded else 0, (y + 0.5) * s if decoded else 0] + [0] * 7
            for s in (8, 16, 32) for y in range(64 // s) for x in range(64 // s)]
    grid = numpy.asarray(grid, "float32")
    grid[:OBJECTS] = 0
    rows = g.op("Add", rows, grid)
    rows = g.op("Add", rows, numpy.asarray([shift] * 2 + [0] * 7, "float32"))
    emit(g, rows, "output", out)
    return finish(g, [value("images", (batch, 3, h, w), kind)],
                  [value("output", (batch, 84, 9), out)])


def rfdetr(batch=1, h=64, w=64, kind="FLOAT", out="FLOAT", slots=4, metadata=None, masks=False):
    g = Graph()
    corners, scores = sight(g, "input", kind, normalised=True)
    dets = g.op("Div", columns(g, centred(g, corners)), sizes_divided(g, "input"))
    # The inverse of the sigmoid; what is nobody's is far below.
    p = g.op("Clip", one_hot(g, scores, slots), 1e-6, 0.999)
    logits = g.op("Log", g.op("Div", p, g.op("Sub", 1.0, p)))
    emit(g, pad_rows(g, dets, 300), "dets", out)
    emit(g, pad_rows(g, logits, 300, -20.0), "labels", out)
    outputs = [value("dets", (batch, 300, 4), out), value("labels", (batch, 300, slots), out)]
    if masks:
        g.op("Identity", "input", name="masks")
        outputs.append(value("masks", (batch, 3, h, w), kind))
    return finish(g, [value("input", (batch, 3, h, w), kind)], outputs, metadata)


def detr(batch=1, h=64, w=64, kind="FLOAT", out="FLOAT", classes=(0, 1, 2)):
    g = Graph()
    corners, scores = sight(g, "images", kind)
    parts = g.op("Div", columns(g, corners), sizes_divided(g, "images"))
    sizes = g.cast(g.op("Tile", "orig_target_sizes", g.ints(1, 2)), "FLOAT")
    boxes = g.op("Mul", parts, g.op("Unsqueeze", sizes, g.ints(1)))
    labels = numpy.zeros((1, 300), "int64")
    labels[0, :OBJECTS] = classes
    flat = pad_rows(g, g.op("Unsqueeze", scores, g.ints(2)), 300)
    g.op("Expand", labels, g.op("Concat", g.shape("images", 0), g.ints(300), axis=0),
         name="labels")
    emit(g, pad_rows(g, boxes, 300), "boxes", out)
    emit(g, g.op("Squeeze", flat, g.ints(2)), "scores", out)
    return finish(g, [value("images", (batch, 3, h, w), kind),
                      value("orig_target_sizes", (batch, 2), "INT64")],
                  [value("labels", (batch, 300), "INT64"), value("boxes", (batch, 300, 4), out),
                   value("scores", (batch, 300), out)])


def rtdetr_ultra(batch=1, h=64, w=64, kind="FLOAT", out="FLOAT", metadata=None, pixels_out=False):
    g = Graph()
    corners, scores = sight(g, "images", kind)
    boxes = columns(g, centred(g, corners))
    if not pixels_out:
        boxes = g.op("Div", boxes, sizes_divided(g, "images"))
    boxes = pad_rows(g, boxes, 300, 100.0 if pixels_out else 0.0)
    rows = g.op("Concat", boxes, pad_rows(g, one_hot(g, scores, 4), 300), axis=2)
    emit(g, rows, "output0", out)
    return finish(g, [value("images", (batch, 3, h, w), kind)],
                  [value("output0", (batch, 300, 8), out)], metadata)


NAMES = "{0: 'red', 1: \"white\", 2: 'grey', 3: 'it\\'s none'}"
RFDETR = """{"schema_version": 1, "task": "detect", "max_batch_size": 2, "num_select": 2,
 "class_id_to_name": {"0": "red", "1": "white"}, "class_names": ["red", "white"],
 "means": [0.485, 0.456, 0.406], "stds": [0.229, 0.224, 0.225],
 "box_format": "cxcywh_normalized", "channel_order": "RGB"}"""
OPEN = {"h": "height", "w": "width"}

GRAPHS = {
    "yolo": lambda: yolo(metadata={"names": NAMES, "task": "detect"}),
    "yolo_half": lambda: yolo("batch", kind="FLOAT16", out="FLOAT16"),
    "yolo_half_in": lambda: yolo(kind="FLOAT16"),
    "yolo_batch3": lambda: yolo(3),
    "yolo_open": lambda: yolo("batch", **OPEN, metadata={"imgsz": "[64, 96]"}),
    "yolo_odd": lambda: yolo("batch", h=96, w=64),
    "yolo_wrong_rows": lambda: yolo("batch", **OPEN, more=1),
    "yolo_logits": lambda: yolo(gain=10.0, metadata={"task": "detect"}),
    "yolo_first_only": lambda: yolo("batch", first_only=True),
    "yolo_fixed_reshape": lambda: yolo("batch", fixed_reshape=True),
    "yolo_80": lambda: yolo(classes=80),
    "yolo_bad_names": lambda: yolo(classes=80, metadata={"names": "{0: 'broken"}),
    "e2e": lambda: yolo_e2e("batch", metadata={"names": NAMES}),
    "e2e_half": lambda: yolo_e2e(kind="FLOAT16", out="FLOAT16"),
    "e2e_open": lambda: yolo_e2e("batch", **OPEN, declared=("batch", None, None),
                                 metadata={"end2end": "True"}),
    "e2e_raw": lambda: yolo_e2e("batch", **OPEN, rows=8400, declared=("batch", None, None),
                                metadata={"args": "{'nms': True}"}),
    "e2e_class_90": lambda: yolo_e2e(class_step=45),
    "e2e_by_picture": lambda: yolo_e2e(rows=299, declared=(1, None, 6), by_picture=True,
                                       metadata={"end2end": "True"}),
    "yolox": lambda: yolox("batch"),
    "yolox_half": lambda: yolox(kind="FLOAT16", out="FLOAT16"),
    "yolox_decoded": lambda: yolox(decoded=True),
    "yolox_neither": lambda: yolox(shift=300.0),
    "rfdetr": lambda: rfdetr(),
    "rfdetr_batch": lambda: rfdetr("batch", h=64, w=128, metadata={"rfdetr_inference": RFDETR},
                                   slots=3),
    "rfdetr_half": lambda: rfdetr(kind="FLOAT16", out="FLOAT16"),
    "rfdetr_91": lambda: rfdetr(slots=91, masks=True),
    "detr": lambda: detr("batch"),
    "detr_half": lambda: detr(h=64, w=128, kind="FLOAT16", out="FLOAT16"),
    "detr_class_90": lambda: detr(classes=(0, 1, 90)),
    "ultra": lambda: rtdetr_ultra("batch", metadata={"names": NAMES}),
    "ultra_half": lambda: rtdetr_ultra(h=64, w=128, kind="FLOAT16", out="FLOAT16"),
    "ultra_pixels": lambda: rtdetr_ultra(pixels_out=True),
}
