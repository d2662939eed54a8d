"""Benchmarks of the library: index, random access, decoding, JPEG. No server is involved."""
import random
import statistics
import time

import clips
from harness import (THREADS, WORK, BenchError, ffms2, execute, higher, interleave, lower, opencv,
                     ours, paired, percentile, pyav, say, tool)

SEED = 20240229  # of the frames asked for: the same in every run


def both(context, path):
    """Ours and FFMS2 with the clip open."""
    mine, peer = ours(context), ffms2(context)
    frames = mine.ask("open", path)
    if peer.ask("open", path) != frames:
        raise BenchError("ours and ffms2 do not count the same frames")
    return mine, peer, int(frames)


def index_build(context):
    path = clips.hd(context)
    clips.describe(path)
    with ours(context) as mine, ffms2(context) as peer:
        for program in (mine, peer):
            program.ask("index", path)  # warms the page cache
        times = interleave(context.pick(21, 7), lambda: mine.ask("index", path),
                           lambda: peer.ask("index", path))
    yield paired("index_build", *times, "ffms2", "ms", 1.0)


def index_reopen(context):
    """The target is a time, 2 ms; it is given as the speedup that this takes."""
    limit_ms = 2.0
    path = clips.two_hours()
    saved = [WORK / "two-hours.sci", WORK / "two-hours.ffindex"]
    with ours(context) as mine, ffms2(context) as peer:
        for program, index in zip((mine, peer), saved):
            program.ask("open", path)
            program.ask("save", index)
        times = interleave(context.pick(21, 7), lambda: mine.ask("load", saved[0]),
                           lambda: peer.ask("load", saved[1]))
    for index in saved:
        index.unlink()
    result = paired("index_reopen", *times, "ffms2", "ms", 1.0)
    result.target = result.speedup * result.ours / limit_ms
    yield result


def random_frames(count, frames):
    return random.Random(SEED).sample(range(frames), count)


def limit_ms(mine, asked, frames):
    """What decoding all packets from the entry point to each target takes at sequential speed."""
    rate = frames / mine.ask("all", frames)  # frames a millisecond
    return statistics.median(mine.ask("distance", n) for n in asked) / rate


def cold_random_frame(context):
    mine, peer, frames = both(context, clips.hd(context))
    with mine, peer:
        asked = random_frames(context.pick(40, 15), frames)
        pick = iter(asked)
        again = iter(asked)
        times = interleave(len(asked), lambda: mine.ask("frame", next(pick)),
                           lambda: peer.ask("frame", next(again)))
        limit = limit_ms(mine, asked, min(frames, 600))
    medians = [statistics.median(t) for t in times]
    say(f"limit {limit:.1f} ms at sequential speed; ours takes {medians[0] / limit:.2f} of it, "
        f"ffms2 {medians[1] / limit:.2f}")
    yield lower("cold_random_frame", *medians, "ffms2", "ms", 1.43)
    yield lower("cold_random_frame_p95", *(percentile(t, 0.95) for t in times), "ffms2", "ms",
                1.43)


def cold_random_jpeg(context):
    """PyAV stops at RGB, without a JPEG: the fairer for it."""
    path = clips.hd(context)
    with ours(context) as mine, opencv() as cv, pyav() as av:
        frames = int(mine.ask("open", path))
        cv.ask("open", path)
        av.ask("open", path)
        asked = random_frames(context.pick(30, 11), frames)
        picks = [iter(asked) for _ in range(3)]
        times = interleave(len(asked), lambda: mine.ask("picture", next(picks[0])),
                           lambda: cv.ask("picture", next(picks[1])),
                           lambda: av.ask("picture", next(picks[2])))
    medians = [statistics.median(t) for t in times]
    worst = [percentile(t, 0.95) for t in times]
    say(f"p95: ours {worst[0]:.1f} ms, opencv {worst[1]:.1f} ms, pyav {worst[2]:.1f} ms")
    yield lower("cold_random_jpeg", medians[0], medians[1], "opencv", "ms", 2.0)
    yield lower("cold_random_jpeg", medians[0], medians[2], "pyav", "ms", 2.0)


def ffmpeg_null(path, frames):
    start = time.perf_counter()
    execute([tool("ffmpeg"), "-v", "error", "-nostdin", "-threads", THREADS, "-i", path,
             "-frames:v", frames, "-f", "null", "-"])
    return (time.perf_counter() - start) * 1e3


def sequential_decode(context):
    """Many short rounds: a machine's clock drifts more from minute to minute than the ratios do."""
    path = clips.hd(context)
    mine, peer, frames = both(context, path)
    frames = min(frames, context.pick(600, 300))
    with mine, peer:
        times = interleave(context.pick(9, 3), lambda: mine.ask("all", frames), lambda: ffmpeg_null(path, frames),
                           lambda: peer.ask("all", frames))
    rates = [[frames * 1e3 / ms for ms in t] for t in times]
    for other, name, target in ((1, "ffmpeg", 0.95), (2, "ffms2", 1.0)):
        ratio = statistics.median(a / b for a, b in zip(rates[0], rates[other]))
        yield higher("sequential_decode", statistics.median(rates[0]),
                     statistics.median(rates[other]), name, "fps", target, ratio)


def jpeg_1080p(context):
    path = clips.hd(context)
    with ours(context) as mine, opencv() as cv:
        middle = int(mine.ask("open", path)) // 2
        cv.ask("open", path)
        for program in (mine, cv):
            program.ask("keep", middle)
            program.ask("encode")
        times = interleave(context.pick(101, 31), lambda: mine.ask("encode"),
                           lambda: cv.ask("encode"))
    yield paired("jpeg_1080p", *times, "opencv", "ms", 1.67)


def prepare(context, kind, name):
    """One thread each, memory that is there. OpenCV starts from BGR, as its decoder hands it out:
    that it had to make it first is not counted; ours starts from the decoder's YUV."""
    path = clips.hd(context)
    reuse = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
    with ours(context) as mine, opencv(threads=1, environ=reuse) as cv:
        middle = int(mine.ask("open", path)) // 2
        cv.ask("open", path)
        for program in (mine, cv):
            program.ask("keep", middle)
            program.ask("prepare", kind)
        times = interleave(context.pick(101, 31), lambda: mine.ask("prepare", kind),
                           lambda: cv.ask("prepare", kind))
        say(f"OpenCV's conversion to BGR, not counted: {cv.ask('convert'):.2f} ms")
    yield paired(name, *times, "opencv", "ms", 3.0)


def prepare_1080p(context):
    """To 640x640, letterbox, RGB, 0..1, float32 planes."""
    yield from prepare(context, "yolo", "prepare_1080p")


def prepare_1080p_yolox(context):
    """To 416x416, letterbox at the top left, BGR, 0..255, float32 planes."""
    yield from prepare(context, "yolox", "prepare_1080p_yolox")


BENCHES = (index_build, index_reopen, cold_random_frame, cold_random_jpeg, sequential_decode,
           jpeg_1080p, prepare_1080p, prepare_1080p_yolox)
