#!/usr/bin/env python3
"""Makes the clips of all cases into tests/exact/clips, as far as they are missing or their recipe
changed.

usage: make_clips.py [--only NAME]... [--jobs N] [--force]
"""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import time

import cases
import recipe

HERE = os.path.dirname(os.path.abspath(__file__))
CLIPS = os.path.join(HERE, "clips")
MEDIA = os.path.join(HERE, "..", "..", "..", "shared", "media")


def clip_path(case):
    """Where the case's clip lies, or will lie once made."""
    if isinstance(case.steps, str):
        return os.path.normpath(os.path.join(MEDIA, case.steps))
    return os.path.join(CLIPS, f"{case.name}.{recipe.extension(case.steps)}")


def missing(case):
    """Why the case's clip cannot be had here, or None."""
    if isinstance(case.steps, str):
        return None if os.path.exists(clip_path(case)) else f"{case.steps} is not there"
    if not shutil.which("ffmpeg"):
        return "ffmpeg is not installed"
    return None


def stamp_path(case):
    return os.path.join(CLIPS, f"{case.name}.recipe")


def is_fresh(case):
    if isinstance(case.steps, str):
        return True
    try:
        with open(stamp_path(case), encoding="ascii") as file:
            return os.path.exists(clip_path(case)) and (
                file.read() == recipe.recipe_hash(case.steps))
    except OSError:
        return False


def make(case, force=False):
    """Makes one clip; returns "made", "kept" or why not."""
    why = missing(case)
    if why:
        return why
    if is_fresh(case) and not force:
        return "kept"
    os.makedirs(CLIPS, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CLIPS) as tmp:
        made = recipe.run_steps(case.steps, os.path.join(tmp, "clip"))
        os.replace(made, clip_path(case))
    with open(stamp_path(case), "w", encoding="ascii") as file:
        file.write(recipe.recipe_hash(case.steps))
    return "made"


def chosen(only):
    """The cases to run: all, or those whose names are given (a trailing * matches the rest)."""
    if not only:
        return cases.CASES
    return [c for c in cases.CASES
            if any(c.name == o or o.endswith("*") and c.name.startswith(o[:-1]) for o in only)]


def timed_make(case, force):
    start = time.monotonic()
    try:
        return make(case, force), time.monotonic() - start
    except (RuntimeError, AssertionError, OSError, ValueError, KeyError, IndexError,
            subprocess.SubprocessError) as error:
        return f"FAILED: {error!r}", time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--force", action="store_true")
    args = parser.parse_args()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        todo = chosen(args.only)
        for case, (result, took) in zip(todo, pool.map(lambda c: timed_make(c, args.force), todo)):
            failed += result.startswith("FAILED")
            size = os.path.getsize(clip_path(case)) if os.path.exists(clip_path(case)) else 0
            print(f"{case.name:22} {size:9} bytes {took:5.1f} s  {result}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
