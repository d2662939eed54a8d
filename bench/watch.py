#!/usr/bin/env python3
"""Watches an MJPEG stream whose pictures carry their time (see strip.py).

usage: bench/watch.py URL WARM_UP_S SECONDS

Prints the age of each picture in ms, a line each, when its last byte is here; what was damaged is
counted in a last line, "damaged N".
"""
import sys
import time
import urllib.request

import cv2
import numpy as np

import strip


def parts(answer):
    """(when it was here, its bytes) of each picture."""
    while True:
        length = 0
        while line := answer.readline():
            name, _, value = line.decode("latin-1").partition(":")
            if name.lower() == "content-length":
                length = int(value)
            if not line.strip() and length:
                break
        if not length:
            return
        body = answer.read(length)
        yield time.time_ns() / 1e6, body


def main():
    url, warm_up, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    ages, damaged = [], 0
    with urllib.request.urlopen(url, timeout=20) as answer:
        start = time.monotonic()
        for now, body in parts(answer):
            passed = time.monotonic() - start
            if passed > warm_up + seconds:
                break
            luma = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_GRAYSCALE)
            value = strip.read(luma) if luma is not None else None
            if passed < warm_up:
                continue
            if value is None:
                damaged += 1
            else:
                ages.append(now - value)
    print("\n".join(f"{age:.1f}" for age in ages))
    print(f"damaged {damaged}")


if __name__ == "__main__":
    main()
