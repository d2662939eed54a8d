"""Benchmarks of WebRTC: what a viewer costs, beside the barest webrtcbin and beside aiortc; how soon a
browser has its first picture, and how old its pictures are."""
import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import time

from harness import (HERE, ROOT, WORK, BenchError, execute, higher, lower, peer_python, percentile,
                     say, tool)
from live import start_stream
from server import Server, free_port, saccade
from vision import media

VIEWERS = 50
RATE = 15  # of the small stream: 640x360 at 600 kbit/s
BITRATE = 600_000
SOURCE = f"testsrc:size=640x360,rate={RATE}"
LEAST = 0.8  # of the pictures that each viewer must get: leaving them out would be cheap
JOIN_MS = 500  # the 95th percentile allowed
LATENCY_MS = (50, 100)  # p50 and p95 allowed
AIORTC_VIEWERS = (4, 2, 1)  # the most of these that it bears is measured
TICKS = os.sysconf("SC_CLK_TCK")


class Usage:
    """What a process has used so far; its children do not count."""

    def __init__(self, pid):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        self.at = time.monotonic()
        self.cpu = (int(fields[11]) + int(fields[12])) / TICKS
        self.threads = int(fields[17])
        self.memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def share(self, since):
        """Percent of a core."""
        return 100 * (self.cpu - since.cpu) / (self.at - since.at)


class Viewers:
    """bench/viewers at work; ready once all have a picture."""

    def __init__(self, context, url, count, seconds):
        self.count, self.seconds = count, seconds
        self.process = subprocess.Popen([str(context.program("viewers")), url, str(count), str(seconds)],
                                        stdout=subprocess.PIPE, text=True)
        self.line(60)

    def line(self, timeout):
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise BenchError(f"viewers: nothing in {timeout} s")
        return self.process.stdout.readline()

    def figures(self):
        """Of each viewer; all must have got nearly all pictures."""
        found = json.loads(self.line(self.seconds + 30))
        viewers = found["viewers"]
        if found["failed"]:
            raise BenchError(f"{found['failed']} of {self.count} viewers got nothing: {found['error']}")
        say(f"{self.count} viewers: first picture after {percentile([v['first_ms'] for v in viewers], 0.5):.0f} ms, "
            f"{sum(v['kbit'] for v in viewers) / self.count / self.seconds:.0f} kbit/s each, "
            f"longest gap {max(v['gap_ms'] for v in viewers):.0f} ms")
        fewest = min(v["pictures"] for v in viewers)
        if fewest < LEAST * RATE * self.seconds:
            raise BenchError(f"a viewer got {fewest} pictures in {self.seconds} s")
        return viewers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def make_clip(context):
    """10 s of what our small stream shows."""
    clip = WORK / "rtc.mp4"
    if not clip.exists():
        execute([context.build / "saccade", "live", f"{SOURCE},duration=10", clip])
    return clip


def make_pictures(context):
    """The clip's pictures, one a file."""
    folder = WORK / "rtc"
    if not folder.exists():
        part = WORK / "rtc.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        execute([tool("ffmpeg"), "-v", "error", "-i", make_clip(context), "-f", "image2", "-c:v", "rawvideo",
                 "-pix_fmt", "yuv420p", "-start_number", "0", part / "%05d.i420"])
        part.rename(folder)
    return folder


@contextlib.contextmanager
def our_whep(context, source=SOURCE):
    """Our server with the small stream on one rung: (address, process id)."""
    with saccade(context, "--webrtc-rungs", "360:600k", "--streams-files", WORK) as server:
        start_stream(server, {"id": "small", "input": source, "realtime": True, "loop": source != SOURCE})
        yield f"http://127.0.0.1:{server.port}/api/v1/streams/small/whep", server.process.pid


@contextlib.contextmanager
def python_whep(script, module, *arguments):
    """A peer's server in Python: (address, process id)."""
    port = free_port()
    with Server(script, [peer_python(module), HERE / f"{script}.py", port, *arguments], port, "/whep") as server:
        yield f"http://127.0.0.1:{port}/whep", server.process.pid


# --- a viewer's cost ------------------------------------------------------------------------------

def watched(pid, seconds, viewers=None):
    """Usage before and after; with viewers, while they count."""
    before = Usage(pid)
    if viewers:
        viewers.figures()
    else:
        time.sleep(seconds)
    return before, Usage(pid)


def one_more(context, name, address, pid):
    """(percent of a core, threads, MiB) for a viewer more: of 50, one of them alone taken away."""
    seconds = context.pick(10, 5)
    with Viewers(context, address, 1, 600):
        one = watched(pid, seconds)
        with Viewers(context, address, VIEWERS - 1, seconds) as rest:
            many = watched(pid, seconds, rest)
    share = [after.share(before) for before, after in (one, many)]
    say(f"{name}: {VIEWERS} viewers {share[1]:.1f} % of a core, {many[1].threads} threads, "
        f"{many[1].memory:.0f} MiB; one {share[0]:.1f} %, {one[1].threads}, {one[1].memory:.0f}")
    return [(b - a) / (VIEWERS - 1) for a, b in ((share[0], share[1]), (one[1].threads, many[1].threads),
                                                 (one[1].memory, many[1].memory))]


def viewer_cost(context):
    """A viewer more of a 360p15 stream, against one encoder and a bare webrtcbin a viewer."""
    folder = make_pictures(context)
    with our_whep(context, str(make_clip(context))) as whep: # to paint pictures costs more than to read them
        ours = one_more(context, "saccade", *whep)
    with python_whep("bare_rtc", "gi", folder) as whep:
        bare = one_more(context, "webrtcbin", *whep)
    say("webrtcbin on the machine of the first trials: 21 % of a core, 407 threads, 126 to 143 MB for 50")
    for name, unit, a, b in zip(("viewer_cost", "viewer_threads", "viewer_memory"), ("% core", "", "MiB"),
                                ours, bare):
        yield lower(name, max(a, 0.001), b, "webrtcbin", unit, 1.0)


def viewers_per_core(context):
    """How many viewers of a clip a core bears, encoding and all, against aiortc, which encodes for each."""
    seconds, clip = context.pick(10, 5), make_clip(context)
    with our_whep(context, str(clip)) as whep:
        ours = borne(context, *whep, VIEWERS, seconds)
    tuned = aiortc_bears(context, clip, seconds, "superfast")
    say(f"aiortc with the preset of our rung: {tuned:.1f} viewers a core, {ours / tuned:.2f} times as many here")
    peer = aiortc_bears(context, clip, seconds)
    yield higher("viewers_per_core", ours, peer, "aiortc", "", 5.0)


def borne(context, address, pid, count, seconds):
    """Viewers for each core used."""
    with Viewers(context, address, count, seconds) as viewers:
        before, after = watched(pid, seconds, viewers)
    say(f"{count} viewers: {after.share(before):.1f} % of a core")
    return 100 * count / after.share(before)


def aiortc_bears(context, clip, seconds, *preset):
    for count in AIORTC_VIEWERS:
        try:
            with python_whep("aiortc_serve", "aiortc", clip, BITRATE, *preset) as whep:
                return borne(context, *whep, count, seconds)
        except BenchError as e:
            say(f"aiortc with {count} viewers: {e}")
            why = e
    raise BenchError(f"aiortc: {why}")


# --- a browser --------------------------------------------------------------------------------------

def browse(context, script, *arguments, timeout=85):
    """What a script with Chromium prints as JSON."""
    text = subprocess.run([tool("node"), ROOT / script, *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, check=False, cwd=ROOT,
                          env={**os.environ, "SACCADE": str(context.build / "saccade")})
    if text.returncode:
        raise BenchError(f"{script}: {text.stderr.strip()[-300:]}")
    return json.loads(text.stdout.splitlines()[-1])


def join_time(context):
    """From a POST to the first picture in Chromium, 720p30, nobody else watching."""
    joins = browse(context, "tests/latency/joins.mjs", "--joins", context.pick(40, 15))["ms"]
    say(f"{len(joins)} joins: p50 {percentile(joins, 0.5):.0f}, worst {max(joins):.0f} ms")
    yield lower("join_time", percentile(joins, 0.95), JOIN_MS, "allowed", "ms", 1.0)


def webrtc_latency(context):
    """From the clock in the decoded picture, through YOLOX-nano, to Chromium's pixels, 720p30."""
    found = browse(context, "tests/latency/latency.mjs", "--json", "--seconds", context.pick(20, 8),
                   "--model", media("yolox_nano.onnx"))
    say(f"{found['frames']} pictures, {found['fps']:.1f} a second, p99 {found['p99']:.0f}, worst "
        f"{found['max']:.0f} ms, longest gap {found['longest_gap']:.0f} ms, {found['bad']} unreadable")
    yield lower("webrtc_latency", found["p50"], LATENCY_MS[0], "allowed", "ms", 1.0)
    yield lower("webrtc_latency_p95", found["p95"], LATENCY_MS[1], "allowed", "ms", 1.0)


BENCHES = (viewer_cost, viewers_per_core, join_time, webrtc_latency)
