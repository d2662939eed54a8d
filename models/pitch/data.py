"""Pictures of made-up matches with the truth about them, as arrays: for training and evaluation.

    data.py OUT --split train|validation|test|demo [--scenes N]

Writes OUT/frames.npy (N, 736, 1280, 3), BGR, letterboxed as the detector gets them, and
OUT/boxes.npy (N, 23, 7): class (-1 = none), x1, y1, x2, y2 in those pixels, the share of the uncut box
that is in the picture, and the share of the figure that shows (media/scene.h). All but `demo` vary
camera, colours, light, blur, noise, size and compression by scene; their seeds do not meet. `demo` is
the clip of `saccade demo`. The same arguments make the same arrays.
"""
import argparse
import io
import multiprocessing
import os
import subprocess

import av
import cv2
import numpy as np

WIDTH, HEIGHT, PAD = 1280, 736, 114
MOST = 23                 # boxes of a picture
VISIBLE, CLEAR = 5, 6     # columns of a box
ENOUGH = 0.25             # who shows less of himself is neither to be found nor wrong when found
MOMENTS = 4               # of a scene
FIRST = {"train": 1, "test": 1_000_000, "validation": 2_000_000}
SCENES = os.path.join(os.path.dirname(__file__), "../../build/models/pitch/scenes")
SIZES = [((1280, 720), 0.45), ((1920, 1080), 0.15), ((960, 540), 0.15), ((854, 480), 0.08),
         ((1024, 768), 0.10), ((640, 360), 0.07)]
# BT.709 limited to B, G, R; rows act on (Y, U, V, 1).
YUV_TO_BGR = np.array([[1.164384, 2.112402, 0, -18.6301 - 270.3874],
                       [1.164384, -0.213249, -0.532909, -18.6301 + 95.5082],
                       [1.164384, 0, 1.792741, -18.6301 - 229.4708]])


def camera(rng):
    """A scene's parameters for the program `scenes`."""
    width, height = SIZES[rng.choice(len(SIZES), p=[share for _, share in SIZES])][0]
    zoom = 1.0 if rng.random() < 0.4 else float(np.exp(rng.uniform(np.log(0.9), np.log(4))))
    zoom = max(zoom, 960 / width)  # a ball of fewer pixels could not be told from noise
    free = 1 - 1 / max(zoom, 1)
    p = {"width": width, "height": height, "zoom": zoom,
         "pan_x": rng.uniform(-1, 1) * free, "pan_y": rng.uniform(-1, 1) * free,
         "light": rng.uniform(0.7, 1.3),
         "noise": float(np.exp(rng.uniform(np.log(0.5), np.log(6)))),
         "overlay": int(rng.random() < 0.7)}
    if rng.random() < 0.5:
        p["blur"] = rng.uniform(0, 1.2) * width / 1280
    if rng.random() < 0.4:
        p["home"], p["away"] = (f"{rng.integers(1, 1 << 24):06x}" for _ in range(2))
    return p


def render(params, frames):
    """Yields (yuv420p planes as (h * 3 / 2, w), boxes (count, 7)) for each frame number."""
    args = [SCENES] + [f"{k}={v}" for k, v in params.items()] + [str(n) for n in frames]
    with subprocess.Popen(args, stdout=subprocess.PIPE) as child:
        for _ in frames:
            _, w, h, count = map(int, child.stdout.readline().split())
            boxes = [child.stdout.readline().split() for _ in range(count)]
            planes = child.stdout.read(w * h * 3 // 2)
            yield (np.frombuffer(planes, np.uint8).reshape(h * 3 // 2, w),
                   np.array(boxes, np.float32).reshape(-1, 7))
    if child.returncode:
        raise RuntimeError(f"{' '.join(args)} failed")


def x264(pictures, crf, preset="veryfast"):
    """The pictures, encoded and decoded."""
    file = io.BytesIO()
    h, w = pictures[0].shape[0] * 2 // 3, pictures[0].shape[1]
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
        stream.options = {"crf": str(crf), "preset": preset, "g": "60", "bf": "2", "threads": "1"}
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        for frame in source.decode(video=0):
            yield frame.to_ndarray()


def to_bgr(planes):
    h, w = planes.shape[0] * 2 // 3, planes.shape[1]
    y, chroma = planes[:h], planes[h:].reshape(2, h // 2, w // 2)
    u, v = (cv2.resize(c, (w, h), interpolation=cv2.INTER_LINEAR) for c in chroma)
    return cv2.transform(cv2.merge([y, u, v]), YUV_TO_BGR)


def letterbox(picture, boxes):
    """Aspect kept, at the top left, the rest grey: YOLOX's preparation."""
    h, w = picture.shape[:2]
    scale = min(WIDTH / w, HEIGHT / h)
    size = round(w * scale), round(h * scale)
    out = np.full((HEIGHT, WIDTH, 3), PAD, np.uint8)
    out[:size[1], :size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    rows = np.full((MOST, 7), -1, np.float32)
    rows[:len(boxes)] = boxes * [1, scale, scale, scale, scale, 1, 1]
    return out, rows


def make_scene(job):
    """MOMENTS pictures of one scene. Compressed ones come from the third frame of a short clip."""
    split, i = job
    seed = FIRST[split] + i
    rng = np.random.default_rng(seed)
    params = dict(camera(rng), seed=seed)
    moments = np.sort(rng.integers(0, 3600, MOMENTS))
    way, out = rng.random(), []
    crf, quality = rng.uniform(18, 32), int(rng.integers(50, 96))
    run = list(render(params, [n + k for n in moments for k in range(3)]))
    for m in range(MOMENTS):
        clip = run[3 * m:3 * m + 3]
        planes, boxes = clip[2]
        if way < 0.6:
            planes = list(x264([p for p, _ in clip], crf))[2]
        picture = to_bgr(planes)
        if way > 0.8:
            jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        out.append(letterbox(picture, boxes))
    return out


def demo(count):
    """Every fifth frame of the demo's clip, at its settings."""
    run = list(render({"seed": 0}, range(5 * count)))
    decoded = x264([planes for planes, _ in run], 23)
    for n, planes in enumerate(decoded):
        if n % 5 == 0:
            yield letterbox(to_bgr(planes), run[n][1])


def make(split, scenes, workers):
    if split == "demo":
        yield from demo(120)
        return
    with multiprocessing.Pool(workers) as pool:
        for pictures in pool.imap(make_scene, [(split, i) for i in range(scenes)]):
            yield from pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("out")
    parser.add_argument("--split", choices=[*FIRST, "demo"], required=True)
    parser.add_argument("--scenes", type=int, default=125, help=f"{MOMENTS} pictures each")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    cv2.setNumThreads(1)
    os.makedirs(args.out, exist_ok=True)
    total = 120 if args.split == "demo" else args.scenes * MOMENTS
    frames = np.lib.format.open_memmap(os.path.join(args.out, "frames.npy"), "w+", np.uint8,
                                       (total, HEIGHT, WIDTH, 3))
    boxes = np.full((total, MOST, 7), -1, np.float32)
    done = 0
    for frames[done], boxes[done] in make(args.split, args.scenes, args.workers):
        done += 1
        if done % 100 == 0 or done == total:
            print(f"{done} of {total} pictures", flush=True)
    np.save(os.path.join(args.out, "boxes.npy"), boxes)
    for name, whose in ("player", boxes[..., 0] == 0), ("ball", boxes[..., 0] == 1):
        print(f"{name}: {(whose & (boxes[..., CLEAR] >= ENOUGH)).sum()} to be found of {whose.sum()}")


if __name__ == "__main__":
    main()
