#!/usr/bin/env python3
"""Writes docs/tracking.md: how the trackers are scored, and their scores.

usage: tests/vision/tracking.py [--build DIR]
"""
import argparse
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = """# Tracking

A tracker gives detections ids that stay with an object over time. It sees boxes, scores and times,
no pictures. `vision/tracker.h` says what it promises; this page says how good it is, and
`tests/vision/tracking.py` writes it.

## The trackers

**ByteTrack** (the default) matches strong boxes to tracks first, then weak boxes to tracks that were
found a moment ago: who is half hidden has a low score, but is still there. **OC-SORT** prefers whom
a track can reach without turning, looks for lost ones where they were last seen, and when one is
found again corrects its filter over the gap. Both end with a pass over boxes grown by half, for what
is near without overlapping. **SORT** is one pass by IoU.

They differ from what their authors published in this: time is counted in nanoseconds, so that a
detector may look as often as it can; an object once confirmed stays confirmed, so SORT here is
better than the published one (last row of the table); OC-SORT has ByteTrack's second pass, an option
of its authors; and the pass over grown boxes (buffered IoU, Yang et al. 2023).

## How they are scored

The truth is that of the made-up match (`media/scene.h`): {courses} courses of play by other seeds,
with 22 players and a ball, at zooms of 1 to 3.2, 15 to 60 pictures a second, in two of them every
second or third picture looked at. A detector is made of the truth, with seeded noise on the boxes
(3 % of their size, twice that in four of the courses, more for who is partly hidden), 3 to 6 %
of misses (up to half for who is hidden), scores that fall with what is hidden, weaker ones of
two boxes in nearly one place suppressed, and a false box in every third picture. Who shows less
than a quarter is neither to be found nor wrong when found.

HOTA (Luiten et al. 2021) weighs detection (DetA) and association (AssA) alike; MOTA counts misses,
false boxes and switches of id; IDF1 asks how much of each object has one id. All in percent; the
metrics are written for this test (`tests/vision/mot.c`) and checked on cases whose scores are known.

{table}
The test `vision/tracker_scores` fails where ByteTrack or OC-SORT is below SORT in HOTA, MOTA or
IDF1. The scores compare trackers with each other; they say nothing about real crowds.

## Speed

`bench/run.py --only tracker_50` measures updates with 50 objects a second of CPU time.

## What to expect

- Who is hidden for longer than a second, or leaves the picture, comes back with another id.
- Two who look the same to the detector and meet may swap ids: no picture is compared.
- A ball that is kicked hard, at few pictures a second, jumps farther than any pass looks.
- The detector should hand over boxes down to a score of 0.1, whatever is shown to people.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="the build folder")
    program = ROOT / parser.parse_args().build / "tests/vision/test-vision-tracker_scores"
    table = subprocess.run([program, "--table"], stdout=subprocess.PIPE, text=True, check=True)
    courses, _, rows = table.stdout.partition("\n")
    (ROOT / "docs/tracking.md").write_text(PAGE.format(courses=courses, table=rows))


if __name__ == "__main__":
    main()
