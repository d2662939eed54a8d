"""Benchmarks of live streams: a whole stream against its limit and a plain loop, what the graph costs,
how old a picture is when it is seen."""
import contextlib
import json
import re
import select
import statistics
import subprocess
import time

from harness import (HERE, WORK, BenchError, Program, execute, higher, interleave, lower,
                     peer_python, percentile, say, tool)
from server import fetch, free_port, saccade
from vision import LANES, STAGES, limit, media, plain_loop, wait_ready

CAR = 2  # COCO's class
FILM_S = 10  # of the clip that is filmed: whole rounds are to be short
FILM_STAGES = STAGES + ("cut", "track", "camera", "crop", "overlay", "encode")
GRAPH_US = 50  # of CPU time a frame, allowed
RTSP_MS = 150  # from the camera's clock to the viewer, allowed


def short_clip():
    path = WORK / f"cars-{FILM_S}s.mp4"
    if not path.exists():
        execute([tool("ffmpeg"), "-v", "error", "-y", "-i", media("car-detection.mp4"), "-c", "copy",
                 "-t", FILM_S, path])
    return path


def film(context, clip, model):
    """Frames a second of a whole stream from file to file, loading left out."""
    done = subprocess.run([str(c) for c in (
        context.build / "saccade", "live", clip, WORK / "film.mp4", "--model", model, "--track",
        "--overlay", "--camera", f"follow={CAR},aspect=16:9", "--size", "1280x720", "--preset",
        "veryfast")], capture_output=True, text=True, timeout=300, check=False)
    rate = re.search(r"(\d+) pictures in, (\d+) out in [\d.]+ s \(([\d.]+) fps\), (\d+) looked at",
                     done.stderr)
    if done.returncode or not rate:
        raise BenchError(f"saccade live: {done.stderr.strip()[-300:]}")
    if len({rate.group(1), rate.group(2), rate.group(4)}) > 1:
        raise BenchError(f"saccade live left pictures out: {rate.group(0)}")
    return float(rate.group(3))


def live_file(context):
    """Against the larger of the slowest stage alone and all stages' CPU time by core."""
    clip, model = short_clip(), media("yolox_nano.onnx")
    with Program([context.program("stages"), LANES]) as stages, plain_loop() as loop:
        stages.ask("model", model)
        frames = int(stages.ask("open", clip))
        stages.ask("film", CAR)
        loop.ask("model", model)
        loop.ask("open", clip)
        loop.ask("film", WORK / "plain.mp4")
        rates = interleave(context.pick(3, 1), lambda: film(context, clip, model),
                           lambda: limit(stages, frames, FILM_STAGES),
                           lambda: 1e3 * frames / loop.ask("all", frames))
    ours, most, plain = (statistics.median(r) for r in rates)
    yield higher("live_file", ours, most, "limit", "fps", 0.9,
                 statistics.median(a / b for a, b in zip(rates[0], rates[1])))
    yield higher("live_file", ours, plain, "python", "fps", 1.5,
                 statistics.median(a / b for a, b in zip(rates[0], rates[2])))


def graph_overhead(context):
    """CPU time of a graph of 8 stages that do nothing, for each frame that passes."""
    count = context.pick(200_000, 50_000)
    with Program([context.program("graph")]) as graph:
        graph.ask("busy", count // 10)
        busy = [1e3 * graph.ask("busy", count) / count for _ in range(context.pick(7, 3))]
        paced = 1e3 * graph.ask("paced", 200) / 200
    say(f"{paced:.0f} us for a frame that comes alone, 100 a second")
    yield lower("graph_overhead", statistics.median(busy), GRAPH_US, "allowed", "us", 1.0)


@contextlib.contextmanager
def camera():
    """Its address."""
    port = free_port()
    process = subprocess.Popen([peer_python("gi"), HERE / "camera.py", str(port)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        ready = select.select([process.stdout], [], [], 30)[0] and process.stdout.readline()
        if not ready:
            process.kill()
            raise BenchError(f"camera.py: {process.communicate()[1].strip()[-300:]} "
                             "(needs python3-gi, gir1.2-gst-rtsp-server-1.0, an H.264 encoder)")
        yield f"rtsp://127.0.0.1:{port}/live"
    finally:
        process.kill()
        process.wait()


def start_stream(server, spec):
    status, body = fetch(server.port, "/api/v1/streams", "POST", json.dumps(spec).encode(),
                         "application/json")
    if status != 201:
        raise BenchError(f"POST /api/v1/streams: {status} {body[:300]}")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        state = json.loads(fetch(server.port, f"/api/v1/streams/{spec['id']}")[1])
        if state["state"] == "running":
            return
        time.sleep(0.1)
    raise BenchError(f"the stream does not run: {state['state']} {state['reason']}")


def watch(server, stream, seconds):
    """Ages of the pictures in ms, by burnt-in time."""
    url = f"http://127.0.0.1:{server.port}/api/v1/streams/{stream}/stream.mjpeg"
    done = subprocess.run([peer_python("cv2"), HERE / "watch.py", url, "3", str(seconds)],
                          capture_output=True, text=True, timeout=seconds + 60, check=False)
    lines = done.stdout.split()
    if done.returncode or len(lines) < 2:
        raise BenchError(f"watch.py: {done.stderr.strip()[-300:]}")
    ages, damaged = [float(line) for line in lines[:-2]], int(lines[-1])
    if len(ages) < 15 * seconds or damaged > len(ages) // 20:
        raise BenchError(f"{len(ages)} pictures in {seconds} s, {damaged} damaged")
    return ages


def latency_rtsp(context):
    """A camera over RTSP, 720p30, to a browser's MJPEG: burnt-in time to the last byte."""
    seconds = context.pick(12, 6)
    model = media("yolox_nano.onnx")
    plain = {"id": "plain"}
    boxes = {"id": "boxes", "model": "yolox", "track": True, "overlay": True}
    with camera() as url, saccade(context, "--models-load", f"yolox={model}") as server:
        wait_ready(server, "yolox")
        for spec in (plain, boxes):
            start_stream(server, {"input": url, **spec})
            ages = watch(server, spec["id"], seconds)
            fetch(server.port, f"/api/v1/streams/{spec['id']}", "DELETE")
            say(f"{spec['id']}: p50 {statistics.median(ages):.0f}, p95 {percentile(ages, 0.95):.0f}, "
                f"p99 {percentile(ages, 0.99):.0f}, worst {max(ages):.0f} ms of {len(ages)} pictures")
            yield lower("latency_rtsp" if spec is plain else "latency_rtsp_boxes",
                        statistics.median(ages), RTSP_MS, "allowed", "ms", 1.0)


BENCHES = (live_file, graph_overhead, latency_rtsp)
