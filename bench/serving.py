"""Benchmarks of the server: answers from memory, uploads, many clients, memory."""
import json
import re
import shutil
import statistics
import subprocess
import time

import clips
from harness import WORK, BenchError, higher, interleave, lower, paired, say, tool
from server import delete, fetch, nginx, saccade, upload, video_frames

GIB = 1 << 30
ANSWER_BYTES = 30000
FRAME_CACHE_MIB, ANSWER_CACHE_MIB = 256, 64  # given to the server, so that the sum is known


def wrk(port, target, connections, seconds):
    """(requests a second, median latency in ms)"""
    command = [tool("wrk"), "-t", min(2, connections), "-c", connections, "-d", f"{seconds}s",
               "--latency", f"http://127.0.0.1:{port}{target}"]
    text = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=seconds + 30, check=False).stdout
    rate = re.search(r"Requests/sec:\s*([\d.]+)", text)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    if not rate or not median or "Non-2xx" in text or "Socket errors" in text:
        raise BenchError(f"wrk: {text.strip()[-300:] or 'no output'}")
    return (float(rate.group(1)),
            float(median.group(1)) * {"us": 1e-3, "ms": 1, "s": 1e3}[median.group(2)])


def choose_answer(server, video_id):
    """The target whose JPEG is nearest to 30 kB, and its bytes."""
    answers = []
    for width in range(320, 1281, 96):
        target = f"/api/v1/videos/{video_id}/frame?n=45&w={width}"
        status, body = fetch(server.port, target)
        if status != 200:
            raise BenchError(f"GET {target}: {status} {body[:200]}")
        answers.append((target, body))
    return min(answers, key=lambda answer: abs(len(answer[1]) - ANSWER_BYTES))


def better_nginx(seconds):
    """nginx with one or two workers, whichever answers more."""
    rates = {}
    for workers in (1, 2):
        with nginx(workers) as peer:
            rates[workers] = wrk(peer.port, "/frame.jpg", 32, seconds)[0]
    best = max(rates, key=rates.get)
    say(f"nginx: {', '.join(f'{n} worker(s) {rate:.0f}/s' for n, rate in rates.items())}")
    return nginx(best)


def warm_frame_http(context):
    """The latency's target is a time, 0.3 ms; it is given as the speedup that this takes."""
    limit_ms = 0.3
    seconds = context.pick(3, 1)
    shutil.rmtree(WORK / "www", ignore_errors=True)
    (WORK / "www").mkdir(parents=True)
    with saccade(context) as server:
        upload(context, server, clips.hd(context), "clip")
        target, body = choose_answer(server, "clip")
        (WORK / "www" / "frame.jpg").write_bytes(body)
        with better_nginx(1) as peer:
            rates = interleave(5 if not context.quick else 3,
                               lambda: wrk(server.port, target, 32, seconds)[0],
                               lambda: wrk(peer.port, "/frame.jpg", 32, seconds)[0])
            single = interleave(3, lambda: wrk(server.port, target, 1, 1)[1],
                                lambda: wrk(peer.port, "/frame.jpg", 1, 1)[1])
    say(f"{target}: {len(body)} bytes, 32 connections")
    yield higher("warm_frame_http", *(statistics.median(r) for r in rates), "nginx", "req/s", 0.8,
                 statistics.median(a / b for a, b in zip(*rates)))
    result = paired("warm_frame_latency", *single, "nginx", "ms", 1.0)
    result.target = result.speedup * result.ours / limit_ms
    yield result


def copy(path):
    """Milliseconds that cp and sync of the same file take on the same disk."""
    target = WORK / "copy.mp4"
    target.unlink(missing_ok=True)
    start = time.perf_counter()
    subprocess.run(["cp", "--reflink=never", path, target], check=True)
    subprocess.run(["sync", target], check=True)
    ms = (time.perf_counter() - start) * 1e3
    target.unlink()
    return ms


def upload_1gb(context):
    path = clips.padded(clips.hd(context), GIB)
    growth = []
    with saccade(context) as server:
        upload(context, server, clips.hd(context), "first")  # what is made once is made

        def post():
            before = server.memory()
            server.forget_peak()
            ms = upload(context, server, path, "big")
            growth.append(server.memory("VmHWM") - before)
            delete(server, "big")
            return ms
        copy(path)  # warms the page cache
        times = interleave(context.pick(4, 2), post, lambda: copy(path))
    yield paired("upload_1gb", *times, "cp+sync", "ms", 0.5)
    yield lower("upload_1gb_memory", max(max(growth), 0.1), 32, "limit", "MiB", 1.0)


def upload_small(context, server):
    """[(id, frames)] of the small videos."""
    for i, path in enumerate(clips.small(context)):
        upload(context, server, path, f"small{i}")
    return [(f"small{i}", video_frames(server, f"small{i}")) for i in range(4)]


def idle_rss(context):
    with saccade(context) as server:
        upload_small(context, server)
        upload(context, server, clips.hd(context), "clip")
    with saccade(context, keep=True) as server:
        time.sleep(1)
        yield lower("idle_rss", server.memory(), 60, "limit", "MiB", 1.0)


def clients_200(context):
    seconds = context.pick(60, 8)
    caches = ["--frame-cache", f"{FRAME_CACHE_MIB}M", "--answer-cache", f"{ANSWER_CACHE_MIB}M"]
    limit = FRAME_CACHE_MIB + ANSWER_CACHE_MIB + 200
    with saccade(context, *caches) as server:
        videos = upload_small(context, server)
        server.forget_peak()
        done = subprocess.run([str(context.program("clients")), str(server.port), "200",
                               str(seconds)], input="".join(f"{v} {n}\n" for v, n in videos),
                              capture_output=True, text=True, timeout=seconds + 90, check=False)
        if done.returncode != 0:
            raise BenchError(done.stderr.strip())
        peak = server.memory("VmHWM")
    found = json.loads(done.stdout)
    say(f"{found['requests']} answers in {seconds} s, {found['errors']} errors, p50 "
        f"{found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, worst {found['max_ms']:.1f} ms")
    if found["errors"]:
        raise BenchError(f"{found['errors']} errors, the first: {found['first_error']}")
    yield lower("clients_200", peak, limit, "limit", "MiB", 1.0)


BENCHES = (warm_frame_http, upload_1gb, idle_rss, clients_200)
