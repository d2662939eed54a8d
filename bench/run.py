#!/usr/bin/env python3
"""Compares Saccade with its peers, both in one run, and writes bench/results.json.

usage: bench/run.py [--build DIR] [--only NAME[,NAME...]] [--quick] [--list]

A miss of a target is marked MISS; the exit status is 1 only when a benchmark could not run.
Videos are made once, in bench/work. With --only, results.json keeps the other results only if
they are from the same machine.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

import library
import live
import serving
import vision
import webrtc
from harness import HERE, ROOT, BenchError, Context, peer_python

RESULTS = HERE / "results.json"
BENCHES = {bench.__name__: bench for bench in library.BENCHES + serving.BENCHES + vision.BENCHES +
           live.BENCHES + webrtc.BENCHES}


def first_line(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
    except OSError:
        return "missing"
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else "missing"


def module_version(module):
    try:
        return first_line([peer_python(module), "-c",
                           f"import {module}; print({module}.__version__)"])
    except BenchError:
        return "missing"


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30, 1),
        "kernel": platform.release(),
        "ffmpeg": first_line(["ffmpeg", "-version"]).split(" Copyright")[0],
        "ffms2": first_line(["dpkg-query", "-W", "-f", "${Version}", "libffms2-dev"]),
        "opencv": module_version("cv2"),
        "pyav": module_version("av"),
        "nginx": first_line(["/usr/sbin/nginx", "-v"]),
    }


def run_one(name, context):
    """(results, what went wrong or None)"""
    print(f"{name}:", flush=True)
    results = []
    start = time.monotonic()
    try:
        for result in BENCHES[name](context):
            results.append(result)
            print(result.line(), flush=True)
    except (BenchError, OSError, subprocess.TimeoutExpired) as e:
        print(f"  could not run: {e}", flush=True)
        return results, str(e)
    print(f"  {time.monotonic() - start:.0f} s", flush=True)
    return results, None


def write(about, results):
    """Adds to what is there from the same machine, in the order of the table."""
    rows = [result.row() for result in results]
    new = {(row["name"], row["peer_name"]) for row in rows}
    try:
        old = json.loads(RESULTS.read_text())
    except (OSError, ValueError):
        old = {}
    if old.get("machine") == about:
        rows = [r for r in old["results"] if (r["name"], r["peer_name"]) not in new] + rows
    RESULTS.write_text(json.dumps({"machine": about, "results": rows}, indent=1) + "\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="the build folder")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: under 90 s")
    parser.add_argument("--list", action="store_true", help="print the names")
    args = parser.parse_args()
    args.names = [name for name in args.only.split(",") if name] or list(BENCHES)
    unknown = [name for name in args.names if name not in BENCHES]
    if unknown:
        parser.error(f"unknown benchmark {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    return args


def main():
    args = arguments()
    if args.list:
        print("\n".join(BENCHES))
        return 0
    context = Context(ROOT / args.build, args.quick)
    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, load {os.getloadavg()[0]:.1f}")
    if os.getloadavg()[0] > 0.5 * about["cores"]:
        print("the machine is busy: trust ratios only, and those little")
    results, failed = [], []
    for name in args.names:
        found, why = run_one(name, context)
        results += found
        failed += [f"{name}: {why}"] if why else []
    write(about, results)
    print("\n" + "\n".join(result.line() for result in results))
    misses = sum(result.missed() for result in results)
    print(f"{len(results)} results, {misses} missed, {len(failed)} could not run; {RESULTS}")
    for line in failed:
        print(f"could not run: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
