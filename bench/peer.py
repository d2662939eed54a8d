#!/usr/bin/env python3
"""OpenCV's and PyAV's side of the comparisons, driven line by line as answer.h says.

usage: bench/peer.py opencv|pyav THREADS

  open PATH   opens a video
  picture N   frame N by seeking, then JPEG (OpenCV) or RGB (PyAV)   -> ms
  keep N      holds frame N for encode                               -> 0
  encode      the JPEG of the frame held (OpenCV only)               -> ms
  prepare K   the tensor of the frame held for a detector K, yolo or yolox, from the BGR picture
              that OpenCV decodes to (OpenCV only)                   -> ms
  convert     the frame held from YUV 4:2:0 to that BGR (OpenCV only)  -> ms
"""
import os
import statistics
import sys
import time

QUALITY = 85
REPEATS = 5  # of what takes few milliseconds: the median counts


def repeated(run):
    """The median of several runs, ms."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


class OpenCV:
    def __init__(self, threads):
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", f"threads;{threads}")
        import cv2
        cv2.setNumThreads(threads)
        self.cv2 = cv2

    def open(self, path):
        self.capture = self.cv2.VideoCapture(path, self.cv2.CAP_FFMPEG)
        if not self.capture.isOpened():
            raise ValueError(f"cannot open {path}")

    def read(self, n):
        self.capture.set(self.cv2.CAP_PROP_POS_FRAMES, n)
        good, frame = self.capture.read()
        if not good:
            raise ValueError(f"no frame {n}")
        return frame

    def imencode(self, frame):
        good, data = self.cv2.imencode(".jpg", frame, [self.cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not good:
            raise ValueError("imencode failed")
        return data

    def picture(self, n):
        return self.imencode(self.read(int(n)))

    def keep(self, n):
        self.kept = self.read(int(n))

    def encode(self, _):
        return self.imencode(self.kept)

    def letterbox(self, picture, side, fit):
        """What blobFromImage has no mode for: aspect kept, grey bars."""
        height, width = picture.shape[:2]
        ratio = min(side / width, side / height)
        size = fit(width * ratio), fit(height * ratio)
        left, top = ((side - size[0]) // 2, (side - size[1]) // 2) if fit is round else (0, 0)
        small = self.cv2.resize(picture, size, interpolation=self.cv2.INTER_LINEAR)
        return self.cv2.copyMakeBorder(small, top, side - size[1] - top, left,
                                       side - size[0] - left, self.cv2.BORDER_CONSTANT,
                                       value=(114, 114, 114))

    def tensor(self, kind):
        blob = self.cv2.dnn.blobFromImage
        if kind == "yolox":
            return blob(self.letterbox(self.kept, 416, int))
        return blob(self.letterbox(self.kept, 640, round), 1 / 255, swapRB=True)

    def prepare(self, kind):
        return repeated(lambda: self.tensor(kind))

    def convert(self, _):
        yuv = self.cv2.cvtColor(self.kept, self.cv2.COLOR_BGR2YUV_I420)
        return repeated(lambda: self.cv2.cvtColor(yuv, self.cv2.COLOR_YUV2BGR_I420))


class PyAV:
    def __init__(self, threads):
        import av
        self.av = av
        self.threads = threads

    def open(self, path):
        self.container = self.av.open(path)
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.stream.thread_count = self.threads
        self.step = 1 / (self.stream.average_rate * self.stream.time_base)
        self.start = self.stream.start_time or 0

    def picture(self, n):
        target = self.start + round(int(n) * self.step)
        self.container.seek(target, stream=self.stream, backward=True)
        for frame in self.container.decode(self.stream):
            if frame.pts >= target:
                return frame.to_ndarray(format="rgb24")
        raise ValueError(f"no frame {n}")


def answer(peer, line):
    verb, _, argument = line.strip().partition(" ")
    start = time.perf_counter()
    result = getattr(peer, verb)(argument)
    return result if isinstance(result, float) else (time.perf_counter() - start) * 1e3


def main():
    peer = {"opencv": OpenCV, "pyav": PyAV}[sys.argv[1]](int(sys.argv[2]))
    for line in sys.stdin:
        try:
            print(f"ok {answer(peer, line):.6f}", flush=True)
        except Exception as e:  # whatever a peer throws is the driver's to report
            print(f"error {type(e).__name__}: {e}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
