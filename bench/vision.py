"""Benchmarks of detection: the pipeline against its limit and against a plain loop, many clients."""
import http.client
import json
import os
import pathlib
import re
import statistics
import subprocess
import threading
import time

from harness import (HERE, ROOT, WORK, BenchError, Program, higher, interleave, lower,
                     percentile, say)
from server import fetch, saccade, upload, video_frames

MEDIA = ROOT.parent / "shared" / "media"
STAGES = ("decode", "prepare", "infer", "post")
CLIENTS = 32
CORES = len(os.sched_getaffinity(0))  # both sides have all of them
LANES = min(CORES, 16)  # runs side by side, as in the program


def media(name):
    path = MEDIA / name
    if not path.exists():
        raise BenchError(f"{path} is missing: these benchmarks are about real clips")
    return path


def plain_loop():
    python = WORK / "python" / "bin" / "python"
    if not python.exists():
        raise BenchError(f"{python} is missing: tools/setup bench makes it")
    return Program([python, HERE / "plain_loop.py", CORES])


def detect(context, clip, model):
    """Frames a second of `saccade detect` over the whole clip, loading left out."""
    done = subprocess.run([str(c) for c in (context.build / "saccade", "detect", clip, "--model",
                                            model, "--csv", "-o", WORK / "found.csv")],
                          capture_output=True, text=True, timeout=300, check=False)
    rate = re.search(r"\(([\d.]+) fps\)", done.stderr)
    if done.returncode or not rate:
        raise BenchError(f"saccade detect: {done.stderr.strip()[-300:]}")
    return float(rate.group(1))


def limit(stages, frames, names=STAGES):
    """Frames a second that no pipeline of these stages can exceed, from each of them alone."""
    walls, cpus = [], []
    for stage in names:
        walls.append(stages.ask(stage))
        cpus.append(stages.ask("cpu"))
    say("  ".join(f"{stage} {wall / frames:.2f} ms ({cpu / frames:.2f} ms of CPU)"
                  for stage, wall, cpu in zip(names, walls, cpus)))
    return 1e3 * frames / max(*walls, sum(cpus) / CORES)


def pipeline_yolox(context):
    """Against the larger of the slowest stage alone and all stages' CPU time by core."""
    clip, model = media("car-detection.mp4"), media("yolox_nano.onnx")
    with Program([context.program("stages"), LANES]) as stages, plain_loop() as loop:
        stages.ask("model", model)
        frames = int(stages.ask("open", clip))
        loop.ask("model", model)
        loop.ask("open", clip)
        rates = interleave(context.pick(5, 1), lambda: detect(context, clip, model),
                           lambda: limit(stages, frames),
                           lambda: 1e3 * frames / loop.ask("all", frames))
    ours, most, plain = (statistics.median(r) for r in rates)
    yield higher("pipeline_yolox", ours, most, "limit", "fps", 0.95,
                 statistics.median(a / b for a, b in zip(rates[0], rates[1])))
    yield higher("pipeline_yolox", ours, plain, "python", "fps", 1.5,
                 statistics.median(a / b for a, b in zip(rates[0], rates[2])))


class Asker(threading.Thread):
    """One client with one connection: takes the next target, until there are none."""

    def __init__(self, port, targets, latencies):
        super().__init__(daemon=True)
        self.port, self.targets, self.latencies = port, targets, latencies
        self.error = None

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            for target in self.targets:
                start = time.perf_counter()
                connection.request("GET", target)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    raise BenchError(f"GET {target}: {answer.status} {body[:200]}")
                self.latencies.append((time.perf_counter() - start) * 1e3)
        except (BenchError, OSError, http.client.HTTPException) as e:
            self.error = str(e)
        connection.close()


class Locked:
    """An iterator that threads share."""

    def __init__(self, items):
        self.items, self.lock = iter(items), threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            return next(self.items)


def ask_all(port, targets, clients):
    """(answers a second, p99 in ms)"""
    latencies = []
    shared = Locked(targets)
    askers = [Asker(port, shared, latencies) for _ in range(clients)]
    start = time.perf_counter()
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    seconds = time.perf_counter() - start
    errors = [asker.error for asker in askers if asker.error]
    if errors:
        raise BenchError(f"{len(errors)} clients failed: {errors[0]}")
    return len(latencies) / seconds, percentile(latencies, 0.99)


def wait_ready(server, name):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        status, body = fetch(server.port, f"/api/v1/models/{name}")
        if status != 200:
            raise BenchError(f"no model {name}: {status} {body[:200]}")
        state = json.loads(body)
        if state["state"] == "failed":
            raise BenchError(f"model {name}: {state['reason']}")
        if state["state"] == "ready":
            return
        time.sleep(0.05)
    raise BenchError(f"model {name} is not ready after a minute")


def concurrent(context, clip, model, clients):
    """Each frame of the clip once, so that nothing is answered from a cache."""
    with saccade(context, "--models-load", f"yolox={model}") as server:
        upload(context, server, clip, "clip")
        wait_ready(server, "yolox")
        return ask_all(server.port, [
            f"/api/v1/videos/clip/frame?n={n}&model=yolox&overlay=false&w=160"
            for n in range(video_frames(server, "clip"))], clients)


def concurrent_32(context):
    """Many clients share the model; against the pipeline, and against one client at a time."""
    clip, model = media("car-detection.mp4"), media("yolox_nano.onnx")
    rounds = interleave(context.pick(3, 1), lambda: concurrent(context, clip, model, CLIENTS),
                        lambda: concurrent(context, clip, model, 1),
                        lambda: (detect(context, clip, model), 0))
    rates = [[rate for rate, _ in column] for column in rounds]
    ours, single, pipeline = (statistics.median(r) for r in rates)
    say(f"p99 {statistics.median(p for _, p in rounds[0]):.0f} ms of {CLIENTS} clients, "
        f"{statistics.median(p for _, p in rounds[1]):.0f} ms of one alone")
    yield higher("concurrent_32", ours, pipeline, "pipeline", "fps", 0.9,
                 statistics.median(a / b for a, b in zip(rates[0], rates[2])))
    yield higher("concurrent_32", ours, single, "one client", "fps", 1.0,
                 statistics.median(a / b for a, b in zip(rates[0], rates[1])))


def cpu_seconds(server):
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_cpu(context):
    """Of one core, by a server with a model that has been used."""
    clip, model = media("car-detection.mp4"), media("yolox_nano.onnx")
    seconds = context.pick(20, 10)
    with saccade(context, "--models-load", f"yolox={model}") as server:
        upload(context, server, clip, "clip")
        wait_ready(server, "yolox")
        ask_all(server.port, [f"/api/v1/videos/clip/frame?n={n}&model=yolox" for n in range(50)], 8)
        time.sleep(3)
        before = cpu_seconds(server)
        time.sleep(seconds)
        percent = 100 * (cpu_seconds(server) - before) / seconds
    yield lower("idle_cpu", max(percent, 0.01), 0.5, "limit", "%", 1.0)


def tracker_50(context):
    """Updates with 50 objects a second of CPU time; against what OC-SORT's authors give."""
    published, course = 700, 600
    count = course * context.pick(10, 2)
    with Program([context.program("tracker")]) as tracker:
        for kind in ("bytetrack", "ocsort"):
            tracker.ask("open", kind)
            tracker.ask("updates", course)
            times = [tracker.ask("updates", count) for _ in range(5)]
            ids = tracker.ask("tracks") / (count // course)
            say(f"{kind}: {1e3 * statistics.median(times) / count:.0f} us an update, "
                f"{ids:.0f} ids for 50 objects")
            yield higher("tracker_50" if kind == "bytetrack" else f"tracker_50_{kind}",
                         1e3 * count / statistics.median(times), published, "published", "ups", 1.0)


BENCHES = (pipeline_yolox, concurrent_32, idle_cpu, tracker_50)
