"""What all benchmarks share: results, programs driven line by line, medians, tools."""
import dataclasses
import os
import pathlib
import select
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
WORK = HERE / "work"
THREADS = 2  # of each decoder compared


class BenchError(Exception):
    """A benchmark could not run; says why."""


@dataclasses.dataclass
class Context:
    """What the command line chose."""
    build: pathlib.Path
    quick: bool

    def program(self, name):
        path = self.build / "bench" / name
        if not path.exists():
            raise BenchError(f"{path} is missing: meson setup --reconfigure {self.build} "
                             "-Dbench=enabled && make build (make bench does it)")
        return path

    def pick(self, full, quick):
        return quick if self.quick else full


@dataclasses.dataclass
class Result:
    """One comparison. speedup says how many times better ours is, whatever the unit."""
    name: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    target: float
    speedup: float

    def missed(self):
        return self.speedup < self.target

    def line(self):
        verdict = "MISS" if self.missed() else "ok"
        return (f"{self.name:<26} ours {number(self.ours):>8} {self.unit:<6} "
                f"{self.peer_name:>8} {number(self.peer):>8} {self.unit:<6} "
                f"{self.speedup:6.2f}x  (target {self.target:.2f}x)  {verdict}")

    def row(self):
        row = dataclasses.asdict(self)
        return {key: round(value, 4) if isinstance(value, float) else value
                for key, value in row.items()}


def lower(name, ours, peer, peer_name, unit, target, speedup=None):
    """A result where less is better."""
    return Result(name, ours, peer, peer_name, unit, target,
                  peer / ours if speedup is None else speedup)


def higher(name, ours, peer, peer_name, unit, target, speedup=None):
    """A result where more is better."""
    return Result(name, ours, peer, peer_name, unit, target,
                  ours / peer if speedup is None else speedup)


def paired(name, ours, peer, peer_name, unit, target):
    """Less is better; runs that were made side by side are compared with each other."""
    ratio = statistics.median(p / o for o, p in zip(ours, peer))
    return lower(name, statistics.median(ours), statistics.median(peer), peer_name, unit, target,
                 ratio)


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def say(text):
    print(f"  {text}", flush=True)


class Program:
    """A program of answer.h's kind: a line in, a line out."""

    def __init__(self, command, environ=None):
        self.name = pathlib.Path(command[0]).name
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env={**os.environ, **(environ or {})})

    def ask(self, verb, argument="", timeout=240):
        try:
            self.process.stdin.write(f"{verb} {argument}\n")
        except BrokenPipeError:
            raise BenchError(f"{self.name} has ended") from None
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise BenchError(f"{self.name} {verb} {argument}: no answer in {timeout} s")
        word, _, rest = self.process.stdout.readline().strip().partition(" ")
        if word != "ok":
            raise BenchError(f"{self.name} {verb} {argument}: {rest or 'it ended'}")
        return float(rest)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def interleave(rounds, *runs):
    """Calls each of runs in every round, in turned order; a list of values for each."""
    values = [[] for _ in runs]
    for i in range(rounds):
        order = list(range(len(runs)))
        for k in order[i % len(runs):] + order[:i % len(runs)]:
            values[k].append(runs[k]())
    return values


def ours(context):
    return Program([context.program("ours"), THREADS])


def ffms2(context):
    return Program([context.program("ffms2"), THREADS])


def peer_python(module):
    """The interpreter that has a Debian python3-* package: not always the first in PATH."""
    for python in dict.fromkeys([sys.executable, "/usr/bin/python3"]):
        probe = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
        if probe.returncode == 0:
            return python
    raise BenchError(f"no Python here can import {module}: tools/setup bench")


def opencv(threads=THREADS, environ=None):
    return Program([peer_python("cv2"), HERE / "peer.py", "opencv", threads], environ)


def pyav():
    return Program([peer_python("av"), HERE / "peer.py", "pyav", THREADS])


def tool(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise BenchError(f"{name} is missing: tools/setup bench")
    return path


def execute(command, timeout=600, **more):
    """Standard output of a command that must succeed."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False, **more)
    if done.returncode != 0:
        raise BenchError(f"{pathlib.Path(str(command[0])).name}: {done.stdout.strip()[-400:]}")
    return done.stdout
