"""Trains the detector on crops of the pictures that data.py made, and writes it as ONNX.

    train.py DATA OUT.onnx [--steps N] [--start WEIGHTS] [--threads N]

One process on a CPU is enough. Weights are kept beside OUT.onnx (OUT.pt).
"""
import argparse
import math
import os
import time

import numpy as np
import onnx
import torch
from torch.nn import functional

from data import CLEAR, ENOUGH, HEIGHT, WIDTH
from net import CLASSES, SCALE, STRIDES, Net, grid

# Side and count of a batch's crops, and how often: small ones show more scenes a second, large ones
# what is around. Both are as many pixels.
BATCHES = [(128, 16, 0.75), (256, 4, 0.25)]
BALL_WEIGHT = 6.0
COOLING = 0.4  # the share of the steps, at the end, in which the rate falls
MEMORY = 256  # places remembered where something was seen and is nothing
LEVEL_SIDE = [36, 64]  # the longest side, in pixels, up to which a box belongs to a level
BALL = CLASSES.index("ball")


class Crops:
    """Random crops. Of ten, four are around a ball, which is in few places else, and four around what
    the net took for something: penalty spots and corner flags are as small and as rare."""

    def __init__(self, folder, seed):
        self.frames = np.load(os.path.join(folder, "frames.npy"), mmap_mode="r")
        self.boxes = np.load(os.path.join(folder, "boxes.npy"))
        balls = (self.boxes[..., 0] == BALL) & (self.boxes[..., CLEAR] >= ENOUGH)
        self.with_ball = np.flatnonzero(balls.any(1))
        self.mistakes = []  # (picture, x, y)
        self.rng = np.random.default_rng(seed)

    def place(self):
        """A picture, and a point that the crop shall show, or None."""
        dice = self.rng.random()
        if dice < 0.4:
            i = self.rng.choice(self.with_ball)
            return i, self.boxes[i][self.boxes[i, :, 0] == BALL][0, 1:3]
        if dice < 0.8 and self.mistakes:
            i, x, y = self.mistakes[self.rng.integers(len(self.mistakes))]
            return i, np.array([x, y])
        return self.rng.integers(len(self.boxes)), None

    def one(self, side):
        i, point = self.place()
        if point is None:
            x, y = self.rng.integers(0, [WIDTH - side + 1, HEIGHT - side + 1])
        else:
            x, y = point - self.rng.integers(0, side - 8, 2)
        x, y = int(np.clip(x, 0, WIDTH - side)), int(np.clip(y, 0, HEIGHT - side))
        picture = np.array(self.frames[i, y:y + side, x:x + side])
        boxes = cut(self.boxes[i], x, y, side)
        flip = self.rng.random() < 0.5
        if flip:
            picture = picture[:, ::-1]
            boxes[:, [1, 3]] = side - boxes[:, [3, 1]]
        return picture, boxes, (i, x, y, flip)

    def batch(self):
        """Pictures (count, 3, side, side); of each, boxes as of cut(); and where they come from."""
        side, count, _ = BATCHES[self.rng.choice(len(BATCHES), p=[share for *_, share in BATCHES])]
        pictures, boxes, origins = zip(*(self.one(side) for _ in range(count)))
        images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
        # Colour casts and contrast beyond what the scenes have.
        gain = torch.from_numpy(self.rng.uniform(0.85, 1.15, (count, 3, 1, 1)).astype(np.float32))
        shift = torch.from_numpy(self.rng.uniform(-10, 10, (count, 1, 1, 1)).astype(np.float32))
        return (images * gain + shift).clamp_(0, 255), boxes, origins

    def remember(self, output, boxes, origins, cells, side):
        """Keeps the place of each picture's surest object that is far from any of its class."""
        middle = ((cells[:, :2] + 0.5) * cells[:, 2:]).numpy()
        score = (output[..., 4:5].sigmoid() * output[..., 5:].sigmoid()).numpy()
        for sure, rows, (i, x, y, flip) in zip(score, boxes, origins):
            for row in rows:
                near = ((middle > row[1:3] - 12) & (middle < row[3:5] + 12)).all(1)
                sure[near, int(row[0])] = 0
            sure = sure.max(1)
            best = int(sure.argmax())
            if sure[best] > 0.1:
                at = side - middle[best, 0] if flip else middle[best, 0]
                self.mistakes.append((i, x + at, y + middle[best, 1]))
        self.mistakes = self.mistakes[-MEMORY:]


def cut(boxes, x, y, side):
    """(count, 6): class, x1, y1, x2, y2 of the boxes in a crop, and about how much of each figure shows
    there."""
    boxes = boxes[boxes[:, 0] >= 0]
    moved = boxes[:, 1:5] - np.array([x, y, x, y], np.float32)
    inside = moved.clip(0, side)
    kept = (inside[:, 2:] - inside[:, :2]).prod(1) / (moved[:, 2:] - moved[:, :2]).prod(1)
    rows = np.column_stack([boxes[:, 0], inside, kept * boxes[:, CLEAR]])
    return rows[kept > 0].astype(np.float32)


def assign(boxes, side):
    """The cells that shall find each box: that of its centre and, for players, the nearest beside and
    above or below it. Returns cell numbers and box numbers; a cell asked twice goes to the nearer
    centre, and to a ball before players."""
    size = side // np.array(STRIDES)
    first = np.concatenate([[0], np.cumsum(size * size)])
    wanted = {}
    for number, box in enumerate(boxes):
        level = int(np.searchsorted(LEVEL_SIDE, max(box[3] - box[1], box[4] - box[2])))
        at = (box[1:3] + box[3:5]) / 2 / STRIDES[level]
        centre = np.minimum(at.astype(int), size[level] - 1)
        beside = centre + np.where(at - centre < 0.5, -1, 1)
        places = [(centre[0], centre[1]), (beside[0], centre[1]), (centre[0], beside[1])]
        for x, y in places[:1] if box[0] == BALL else places:
            if 0 <= x < size[level] and 0 <= y < size[level]:
                cell = first[level] + y * size[level] + x
                far = 0 if box[0] == BALL else math.hypot(x + 0.5 - at[0], y + 0.5 - at[1])
                if cell not in wanted or far < wanted[cell][0]:
                    wanted[cell] = far, number
    return list(wanted), [number for _, number in wanted.values()]


def overlap(a, b):
    """IoU and generalised IoU of (N, 4) centres and sizes."""
    a1, a2, b1, b2 = (t[:, :2] + k * t[:, 2:] / 2 for t in (a, b) for k in (-1, 1))
    both = (torch.minimum(a2, b2) - torch.maximum(a1, b1)).clamp(min=0).prod(1)
    either = a[:, 2:].prod(1) + b[:, 2:].prod(1) - both
    hull = (torch.maximum(a2, b2) - torch.minimum(a1, b1)).prod(1)
    iou = both / either.clamp(min=1e-6)
    return iou, iou - (hull - either) / hull.clamp(min=1e-6)


def over(cells, box):
    """Which cells, of any level, touch the box."""
    corner = cells[:, :2] * cells[:, 2:]
    return ((corner < torch.from_numpy(box[3:5])) &
            (corner + cells[:, 2:] > torch.from_numpy(box[1:3]))).all(1)


def loss_of(output, boxes, cells, side):
    picture, cell, truth = [], [], []
    weight = torch.ones(output.shape[:2])
    for i, rows in enumerate(boxes):
        clear = rows[:, 5] >= ENOUGH
        for box in rows[~clear]:
            weight[i, over(cells, box)] = 0
        at, number = assign(rows[clear], side)
        picture += [i] * len(at)
        cell += at
        truth.append(rows[clear][number])
    truth = torch.from_numpy(np.concatenate(truth).astype(np.float32))
    found, where = output[picture, cell], cells[cell]
    target = torch.cat([(truth[:, 1:3] + truth[:, 3:5]) / 2, truth[:, 3:5] - truth[:, 1:3]], 1)
    raw = torch.cat([target[:, :2] / where[:, 2:] - where[:, :2],
                     (target[:, 2:] / where[:, 2:]).clamp(min=1e-3).log()], 1)
    s = where[:, 2:]
    iou, giou = overlap(torch.cat([(found[:, :2] + where[:, :2]) * s,
                                   found[:, 2:4].clamp(max=6).exp() * s], 1), target)
    # Objectness tells how well a cell places its box: the best of neighbours wins suppression.
    wanted = torch.zeros(output.shape[:2])
    wanted[picture, cell] = 0.2 + 0.8 * iou.detach()
    # Nothing is of no class too: a cell beside a player may be taken for something, never for a ball.
    classes = torch.zeros(output.shape[:2] + (len(CLASSES),))
    classes[picture, cell] = functional.one_hot(truth[:, 0].long(), len(CLASSES)).float()
    # A ball has one cell in a picture where players have dozens.
    share = torch.where(truth[:, 0] == BALL, BALL_WEIGHT, 1.0)
    weight[picture, cell] = share.sqrt()
    count = share.sum().clamp(min=1)
    parts = {
        "place": (share * (3 * (1 - giou) + (found[:, :4] - raw).abs().sum(1))).sum() / count,
        "object": functional.binary_cross_entropy_with_logits(output[..., 4], wanted, weight,
                                                              reduction="sum") / max(1, len(cell)),
        "class": functional.binary_cross_entropy_with_logits(output[..., 5:], classes,
                                                             weight[..., None],
                                                             reduction="sum") / max(1, len(cell)),
    }
    return sum(parts.values()), parts, iou.detach()[truth[:, 0] == BALL]


class Shipped(torch.nn.Module):
    """Takes 0..255 and gives probabilities, as YOLOX's export does."""

    def __init__(self, net):
        super().__init__()
        self.net = Net()
        self.net.load_state_dict(net.state_dict())
        with torch.no_grad():
            self.net.stem[0][0].weight *= SCALE

    def forward(self, images):
        output = self.net(images)
        return torch.cat([output[..., :4], output[..., 4:].sigmoid()], -1)


def export(net, path):
    torch.onnx.export(Shipped(net).eval(), torch.zeros(1, 3, HEIGHT, WIDTH), path, opset_version=13,
                      input_names=["images"], output_names=["output"],
                      dynamic_axes={"images": {0: "batch"}, "output": {0: "batch"}})
    model = onnx.load(path)
    # The exporter leaves these sizes open; a detector says what it gives.
    sizes = model.graph.output[0].type.tensor_type.shape.dim
    sizes[1].dim_value = sum((HEIGHT // s) * (WIDTH // s) for s in STRIDES)
    sizes[2].dim_value = 5 + len(CLASSES)
    names = str(dict(enumerate(CLASSES)))
    onnx.helper.set_model_props(model, {"names": names, "license": "MIT",
                                        "description": "players and ball of made-up matches"})
    onnx.checker.check_model(model)
    onnx.save(model, path)


class Average:
    """Of the weights over the last steps: steadier than any of them."""

    def __init__(self, net):
        self.net = Net()
        self.net.load_state_dict(net.state_dict())

    def update(self, net, step):
        keep = min(0.998, (1 + step) / (10 + step))
        with torch.no_grad():
            for mine, new in zip(self.net.state_dict().values(), net.state_dict().values()):
                if mine.dtype.is_floating_point:
                    mine.mul_(keep).add_(new, alpha=1 - keep)
                else:
                    mine.copy_(new)


def train(net, crops, steps, rate, save):
    average = Average(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01)
    net.train().to(memory_format=torch.channels_last)
    started = time.time()
    for step in range(steps):
        warm, left = min(1, (step + 1) / 200), 1 - step / steps
        optimizer.param_groups[0]["lr"] = rate * warm * min(1, 0.01 + left / COOLING)
        images, boxes, origins = crops.batch()
        side = images.shape[-1]
        cells = grid(side, side)
        images = (images * SCALE).contiguous(memory_format=torch.channels_last)
        output = net(images)
        loss, parts, iou = loss_of(output, boxes, cells, side)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10)
        optimizer.step()
        average.update(net, step)
        crops.remember(output.detach(), boxes, origins, cells, side)
        if (step + 1) % 50 == 0:
            print(f"{step + 1:6} {time.time() - started:7.0f} s  " + "  ".join(
                f"{k} {float(v):.3f}" for k, v in parts.items()) + f"  iou of balls {iou.mean():.3f}",
                flush=True)
        if (step + 1) % 200 == 0:
            save(average.net)
    save(average.net)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=12700, help="0: only write --start as ONNX")
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--start", help="weights to go on from")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    net = Net()
    if args.start:
        net.load_state_dict(torch.load(args.start))
    print(f"{sum(p.numel() for p in net.parameters())} parameters")
    weights = os.path.splitext(args.out)[0] + ".pt"
    crops = Crops(args.data, args.seed)
    train(net, crops, args.steps, args.rate, lambda n: torch.save(n.state_dict(), weights))
    net.load_state_dict(torch.load(weights))
    export(net, args.out)


if __name__ == "__main__":
    main()
