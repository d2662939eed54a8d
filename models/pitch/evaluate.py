"""Average precision of the detector on pictures that data.py made, through ONNX Runtime.

    evaluate.py DATA [--model pitch.onnx] [--threads N] [--floor 0.01]

AP is the area under the whole precision-recall curve at IoU 0.5. Who shows less than a quarter of
himself is neither to be found nor wrong when found. A second figure counts everyone of whose box a
quarter is in the picture, also who is hidden by others.
"""
import argparse
import ast
import os
import time

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it would send what it counts

import numpy as np
import onnxruntime

STRIDES = [8, 16, 32]
SUPPRESS = 0.45
VISIBLE, CLEAR, ENOUGH = 5, 6, 0.25  # as in data.py, which needs more packages
HERE = os.path.dirname(__file__)


def grid(width, height):
    cells = []
    for s in STRIDES:
        y, x = np.mgrid[:height // s, :width // s]
        cells.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, s)], 1))
    return np.concatenate(cells).astype(np.float32)


def iou(box, boxes):
    both = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    both = both.clip(0).prod(1)
    area = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return both / np.maximum(area - both, 1e-9)


def suppress(boxes, scores):
    """Boxes that stay, best first."""
    order, kept = np.argsort(-scores), []
    while order.size:
        kept.append(order[0])
        order = order[1:][iou(boxes[order[0]], boxes[order[1:]]) <= SUPPRESS]
    return kept


def read(output, cells, floor):
    """(class, score, x1, y1, x2, y2) of one picture's output (A, 5 + classes)."""
    scores = output[:, 4:5] * output[:, 5:]
    best = scores.argmax(1)
    score = scores[np.arange(len(best)), best]
    likely = score >= floor
    output, cells, best, score = output[likely], cells[likely], best[likely], score[likely]
    middle = (output[:, :2] + cells[:, :2]) * cells[:, 2:]
    size = np.exp(output[:, 2:4]) * cells[:, 2:]
    boxes = np.concatenate([middle - size / 2, middle + size / 2], 1)
    found = []
    for c in np.unique(best):
        of = np.flatnonzero(best == c)
        found += [(c, score[i], *boxes[i]) for i in of[suppress(boxes[of], score[of])]]
    return np.array(found, np.float32).reshape(-1, 6)


def judge(found, truth, counts):
    """Pairs (score, right?) of one class in one picture: each truth that counts is found at most once,
    and by the surest box that covers it best. Boxes on truth that does not count are left out."""
    free, out = counts.copy(), []
    for box in found[np.argsort(-found[:, 1])]:
        over = iou(box[2:], truth)
        open_over = over * free
        hit = open_over.max(initial=0) >= 0.5
        if hit:
            free[open_over.argmax()] = False
        if hit or not (over[~counts] >= 0.5).any():
            out.append((box[1], hit))
    return out


class Tally:
    """Of one class over all pictures."""

    def __init__(self):
        self.judged, self.truths = [], 0

    def add(self, found, truth, counts):
        self.judged += judge(found, truth, counts)
        self.truths += int(counts.sum())


def average_precision(judged, truths):
    judged = np.array(sorted(judged, key=lambda j: -j[0]), float).reshape(-1, 2)
    right = np.cumsum(judged[:, 1])
    precision, recall = right / np.arange(1, len(right) + 1), right / max(truths, 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate([[0], recall])) * precision))


def report(name, tally):
    sure = [hit for score, hit in tally.judged if score >= 0.5]
    print(f"{name:30} AP@50 {average_precision(tally.judged, tally.truths):.4f}   of {tally.truths}; "
          f"at score 0.5: {sum(sure)} found, {len(sure) - sum(sure)} false")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data")
    parser.add_argument("--model", default=os.path.join(HERE, "pitch.onnx"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--floor", type=float, default=0.01)
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.model, options, ["CPUExecutionProvider"])
    names = ast.literal_eval(session.get_modelmeta().custom_metadata_map["names"])
    frames = np.load(os.path.join(args.data, "frames.npy"), mmap_mode="r")
    truth = np.load(os.path.join(args.data, "boxes.npy"))
    cells = grid(frames.shape[2], frames.shape[1])
    clear, every, times = {c: Tally() for c in names}, {c: Tally() for c in names}, []
    for picture, rows in zip(frames, truth):
        tensor = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
        started = time.perf_counter()
        output = session.run(["output"], {"images": tensor})[0][0]
        times.append(time.perf_counter() - started)
        found = read(output, cells, args.floor)
        for c in names:
            of, true = found[found[:, 0] == c], rows[rows[:, 0] == c]
            clear[c].add(of, true[:, 1:5], true[:, CLEAR] >= ENOUGH)
            true = true[true[:, VISIBLE] >= ENOUGH]
            every[c].add(of, true[:, 1:5], np.ones(len(true), bool))
    print(f"{len(frames)} pictures; a run takes {1000 * np.median(times):.1f} ms (median), "
          f"{1000 * min(times):.1f} ms at best")
    for c, name in names.items():
        report(name, clear[c])
        report(f"{name}, hidden ones counted", every[c])


if __name__ == "__main__":
    main()
