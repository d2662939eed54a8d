#!/usr/bin/env python3
"""The exactness matrix: every frame the reader delivers, in any order, is the one a linear decode
gives.

usage: run.py [--only NAME]... [--jobs N] [--cache BYTES] [--build DIR] [--harness FILE] [--no-cli]
              [--write-docs]

Prints a line per case and what did not pass; the last line counts the checks.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import time

import docs
import make_clips
import reference

ROOT = os.path.normpath(os.path.join(make_clips.HERE, "..", ".."))
ORDERS = ("order", "reverse", "shuffle", "twice", "threads", "backwards")
CHECKS = ORDERS + ("times", "beyond", "command", "verify", "verified")
SAMPLE = 24           # frames asked in the orders that jump, when the case does not say
VERIFIED_SAMPLE = 8   # frames asked, shuffled, with the verified index
TINY_CACHE = 4096     # less than a frame, so that every request decodes
LIMIT_S = 240         # a process


class Results:
    """What one case gave: check -> (PASS/FAIL/SKIP, why)."""

    def __init__(self, case):
        self.case = case
        self.frames = 0
        self.rows = {}

    def put(self, check, why="", skip=False):
        self.rows[check] = ("SKIP" if skip else "FAIL" if why else "PASS", why)

    def rest(self, why, skip=False):
        for check in CHECKS:
            if check not in self.rows:
                self.put(check, why, skip)


def run_process(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                              timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr.strip()
    except subprocess.TimeoutExpired:
        return None, "", f"did not end within {LIMIT_S} s"


def sections(text):
    """The harness's output by section: name -> lines; "# frames N" gives name "frames"."""
    found, name = {}, None
    for line in text.splitlines():
        if line.startswith("# "):
            name, _, rest = line[2:].partition(" ")
            found[name] = [rest] if rest else []
        elif name:
            found[name].append(line)
    return found


def judge_frame(ref, n, md5):
    """Why md5 is not frame n, or "". A wrong frame is called by its number."""
    if md5.startswith("!"):
        return f"frame {n}: {md5[1:]}"
    if n >= len(ref.md5s):
        return f"frame {n}: the reference ends before it"
    if md5 == ref.md5s[n]:
        return ""
    really = ref.names.get(md5)
    if not really:
        return f"frame {n}: a picture that the linear decode never gives"
    return f"frame {n}: it is frame {' or '.join(map(str, really[:3]))}"


def judge_order(ref, lines):
    wrong = []
    for line in lines:
        n, _, md5 = line.partition(",")
        why = judge_frame(ref, int(n), md5)
        if why:
            wrong.append(why)
    if not lines:
        return "nothing was delivered"
    return f"{len(wrong)} of {len(lines)} wrong; {'; '.join(wrong[:4])}" if wrong else ""


def judge_times(case, ref, lines):
    """Each time printed names its frame again, and is the reference's (half a tick forgiven)."""
    for line in lines:
        n, t, found = line.split(",")
        if n != found and not case.repeats:
            return f"frame {n} is at {t}, which names frame {found}"
    if case.repeats:
        return ""
    tick = ref.time_base[0] / ref.time_base[1]
    for line in lines:
        n, t, _ = line.split(",")
        want = (ref.pts[int(n)] - ref.pts[0]) * tick
        if abs(float(t) - want) > 0.5 * tick + 0.0006:
            return f"frame {n} is said to be at {t}, the linear decode has it at {want:.6f}"
    return ""


def judge_beyond(lines):
    for line in lines:
        if "RANGE" not in line:
            return f"beyond the end: {line}"
    return "" if lines else "nothing was answered"


def sample_of(case):
    return case.sample or SAMPLE


def harness(clip, args, order, sample, reverse=None, index=None):
    """Runs the harness: (its sections, why it failed or "")."""
    command = [args.exact, clip, order, "--sample", str(sample), "--cache", str(args.cache)]
    command += ["--reverse", str(sample if reverse is None else reverse)]
    if index:
        command += ["--index", index]
    code, out, err = run_process(command)
    return sections(out), "" if code == 0 else f"the harness ended with {code}: {err[:200]}"


def check_reader(result, clip, ref, args, index=None):
    case = result.case
    found, broken = harness(clip, args, "all", sample_of(case), 0 if case.full else None, index)
    if "frames" not in found:
        for check in ORDERS + ("times", "beyond"):
            result.put(check, f"nothing came: {broken}")
        return
    count = int(found["frames"][0])
    for order in ORDERS:
        why = judge_order(ref, found.get(order, []))
        if count != len(ref.md5s):
            why = f"{count} frames, the linear decode gives {len(ref.md5s)}; {why}"
        result.put(order, why)
    result.put("times", judge_times(case, ref, found.get("times", []))
               if count == len(ref.md5s) else "the number of frames differs")
    result.put("beyond", broken or judge_beyond(found.get("beyond", [])))


def has_command(binary, name):
    """Does the binary know the command?"""
    if not os.path.exists(binary):
        return False
    code, out, _ = run_process([binary, name, "--help"])
    return code == 0 and "usage" in out.lower()


def check_command(result, clip, ref, binary):
    last = len(ref.md5s) - 1
    wanted = sorted({0, last // 2, last})
    command = [binary, "frame", clip, "--hash"]
    for n in wanted:
        command += ["-n", str(n)]
    code, out, err = run_process(command)
    rows = [line.split(",") for line in out.splitlines() if line.count(",") == 5]
    wrong = [judge_frame(ref, int(row[0]), row[5]) for row in rows]
    wrong = [w for w in wrong if w]
    if sorted(int(row[0]) for row in rows) != wanted:
        wrong.append(f"asked for {wanted}, exit {code}, got {out[:150]!r} {err[:150]}")
    for row in rows if not result.case.repeats else []:
        _, again, _ = run_process([binary, "frame", clip, "--hash", "-t", row[1]])
        if again.split(",")[0] != row[0]:
            wrong.append(f"-t {row[1]} gives {again.strip()[:60]!r}, not frame {row[0]}")
    code, out, _ = run_process([binary, "frame", clip, "--hash", "-n", str(last + 1)])
    if code == 0 or out.strip():
        wrong.append("a frame beyond the end was not refused")
    result.put("command", "; ".join(wrong[:3]))


def check_verify(result, clip, binary):
    """The verdict must be one that the case expects; returns the verified index's path."""
    kept = os.path.join(make_clips.CLIPS, result.case.name + ".index")
    code, out, err = run_process([binary, "index", clip, "--verify", "--rebuild", "--json", "-o",
                                  kept])
    verdict = "exact" if '"verdict":"exact"' in out else (
        "differs" if '"verdict":"differs"' in out else "none")
    good = verdict in result.case.verdicts() and code == (verdict == "differs")
    result.put("verify", "" if good else f"exit {code}, verdict {verdict}: {(out + err)[-200:]}")
    return kept if verdict != "none" else None


def check_verified(result, clip, ref, args, index):
    found, broken = harness(clip, args, "shuffle", VERIFIED_SAMPLE, index=index)
    result.put("verified", broken or judge_order(ref, found.get("shuffle", [])))


def check_lie(result, clip, ref, args, index):
    """All orders with the verified index; without it the clip must really lead astray, or the case
    tests nothing."""
    check_reader(result, clip, ref, args, index)
    found, _ = harness(clip, args, "reverse", 0)
    honest = not judge_order(ref, found.get("reverse", []))
    result.put("verified", "the unverified index is exact too: no lie" if honest else "")


def check_case(case, args):
    result = Results(case)
    why = make_clips.missing(case)
    if why:
        result.rest(why, skip=True)
        return result
    try:
        make_clips.make(case)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        result.rest(f"the clip cannot be made: {str(error)[-200:]}", skip=True)
        return result
    clip = make_clips.clip_path(case)
    ref = reference.load(clip, os.path.join(make_clips.CLIPS, case.name + ".framemd5"))
    result.frames = len(ref.md5s)
    if not ref.md5s:
        result.rest("ffmpeg gives no frame")
        return result
    index = check_verify(result, clip, args.saccade) if args.index_command else None
    if not args.exact:
        for check in ORDERS + ("times", "beyond"):
            result.put(check, "the harness does not build")
    elif not case.lies:
        check_reader(result, clip, ref, args)
    if args.exact and index:
        (check_lie if case.lies else check_verified)(result, clip, ref, args, index)
    if args.frame_command:
        if case.lies:
            run_process([args.saccade, "index", clip, "--verify"])
        check_command(result, clip, ref, args.saccade)
    result.rest("the command is not there, or was not asked for", skip=True)
    return result


def prepare(args):
    """Builds the harness and finds out which commands there are."""
    args.saccade = os.path.join(args.build, "saccade")
    args.frame_command = not args.no_cli and has_command(args.saccade, "frame")
    args.index_command = not args.no_cli and has_command(args.saccade, "index")
    os.makedirs(make_clips.CLIPS, exist_ok=True)
    args.exact = args.harness
    if args.harness:
        return
    done = subprocess.run(["ninja", "-C", args.build, "tests/exact/exact"], capture_output=True,
                          text=True, check=False)
    exact = os.path.join(args.build, "tests", "exact", "exact")
    args.exact = exact if done.returncode == 0 else None
    if not args.exact:
        print("the harness does not build:", done.stdout[-600:], file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description="The exactness matrix.")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=int, default=TINY_CACHE, help="bytes; 0 = the default")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--harness", help="another build of the harness")
    parser.add_argument("--no-cli", action="store_true")
    parser.add_argument("--write-docs", action="store_true")
    args = parser.parse_args()
    prepare(args)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # where the commands keep their indexes
        return run_cases(args)


def spent():
    """Seconds of CPU time that this process and the ended ones it started have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def run_cases(args):
    start, results = time.monotonic(), []
    count = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for result in pool.map(lambda c: check_case(c, args), make_clips.chosen(args.only)):
            results.append(result)
            for check, (state, why) in result.rows.items():
                count[state] += 1
                if state != "PASS":
                    print(f"{state} {result.case.name} {check}: {why}", flush=True)
            passed = sum(state == "PASS" for state, _ in result.rows.values())
            print(f"{result.case.name}: {passed} of {len(result.rows)} passed", flush=True)
    if args.write_docs:
        docs.write(os.path.join(ROOT, "docs", "exactness.md"), results, SAMPLE,
                   VERIFIED_SAMPLE)
    print(f"{time.monotonic() - start:.0f} s, {spent():.0f} s of CPU time", file=sys.stderr)
    print(f"{count['PASS']} passed, {count['FAIL']} failed, {count['SKIP']} skipped")
    return 1 if count["FAIL"] or not results else 0


if __name__ == "__main__":
    sys.exit(main())
