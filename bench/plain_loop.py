#!/usr/bin/env python3
"""The loop that people write: OpenCV reads, ONNX Runtime detects, NumPy reads the boxes; if wanted,
OpenCV draws them and ffmpeg encodes the pictures.

usage: bench/plain_loop.py THREADS, driven line by line as answer.h says

  model PATH   loads a YOLOX detector and runs it once
  open PATH    opens a video
  film PATH    from now on, what is found is drawn and goes into this file, 1280x720
  all N        detects in the first N frames, one after the other      -> ms
  count        objects found by the last `all`
"""
import os
import subprocess
import sys
import time

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it would start threads and send what it counts

import cv2
import numpy as np
import onnxruntime

FLOOR, THRESHOLD, OVERLAP = 0.05, 0.25, 0.45
FILM = 1280, 720


def grid(height, width):
    """Places and steps of all anchors, in the model's order."""
    places, steps = [], []
    for step in (8, 16, 32):
        ys, xs = np.meshgrid(np.arange(height // step), np.arange(width // step), indexing="ij")
        places.append(np.stack((xs, ys), 2).reshape(-1, 2))
        steps.append(np.full((places[-1].shape[0], 1), step))
    return np.concatenate(places).astype(np.float32), np.concatenate(steps).astype(np.float32)


class Loop:
    def __init__(self, threads):
        self.target = None  # a film's path
        cv2.setNumThreads(threads)
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads

    def model(self, path):
        self.session = onnxruntime.InferenceSession(path, self.options,
                                                    providers=["CPUExecutionProvider"])
        one = self.session.get_inputs()[0]
        self.input, self.height, self.width = one.name, one.shape[2], one.shape[3]
        self.places, self.steps = grid(self.height, self.width)
        self.session.run(None, {self.input: np.zeros((1, 3, self.height, self.width), np.float32)})

    def open(self, path):
        self.path = path

    def film(self, path):
        self.target = path

    def prepare(self, frame):
        ratio = min(self.height / frame.shape[0], self.width / frame.shape[1])
        size = int(frame.shape[1] * ratio), int(frame.shape[0] * ratio)
        padded = np.full((self.height, self.width, 3), 114, np.uint8)
        padded[:size[1], :size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32), ratio

    def boxes(self, output, ratio):
        scores = output[:, 4:5] * output[:, 5:]
        classes = scores.argmax(1)
        best = scores[np.arange(len(scores)), classes]
        keep = best >= FLOOR
        centre = (output[keep, :2] + self.places[keep]) * self.steps[keep]
        size = np.exp(output[keep, 2:4]) * self.steps[keep]
        corners = np.concatenate((centre - size / 2, size), 1) / ratio
        shifted = corners + np.pad(classes[keep, None] * 10000.0, ((0, 0), (0, 3)))
        chosen = cv2.dnn.NMSBoxes(shifted.tolist(), best[keep].tolist(), FLOOR, OVERLAP)
        return [(classes[keep][i], best[keep][i], corners[i]) for i in np.ravel(chosen).astype(int)]

    def encoder(self, rate):
        command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s",
                   "{}x{}".format(*FILM), "-r", str(rate), "-i", "-", "-c:v", "libx264", "-preset",
                   "veryfast", "-pix_fmt", "yuv420p", self.target]
        return subprocess.Popen(command, stdin=subprocess.PIPE)

    def draw(self, frame, boxes):
        for kind, score, (x1, y1, x2, y2) in boxes:
            corner = int(x1), int(y1)
            cv2.rectangle(frame, corner, (int(x2), int(y2)), (0, 200, 0), 2)
            cv2.putText(frame, f"{kind} {score:.2f}", corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5,
                        (0, 200, 0), 1, cv2.LINE_AA)
        return cv2.resize(frame, FILM, interpolation=cv2.INTER_LINEAR)

    def all(self, frames):
        capture = cv2.VideoCapture(self.path, cv2.CAP_FFMPEG)
        film = self.encoder(capture.get(cv2.CAP_PROP_FPS)) if self.target else None
        self.found = 0
        for n in range(int(frames)):
            good, frame = capture.read()
            if not good:
                raise ValueError(f"no frame {n}")
            blob, ratio = self.prepare(frame)
            output = self.session.run(None, {self.input: blob})[0][0]
            boxes = [box for box in self.boxes(output, ratio) if box[1] >= THRESHOLD]
            self.found += len(boxes)
            if film:
                film.stdin.write(self.draw(frame, boxes))
        if film:
            film.stdin.close()
            if film.wait():
                raise ValueError("ffmpeg failed")

    def count(self, _):
        return self.found


def answer(loop, line):
    verb, _, argument = line.strip().partition(" ")
    start = time.perf_counter()
    number = getattr(loop, verb)(argument)
    return (time.perf_counter() - start) * 1e3 if number is None else number


def main():
    loop = Loop(int(sys.argv[1]))
    for line in sys.stdin:
        try:
            print(f"ok {answer(loop, line):.6f}", flush=True)
        except Exception as e:  # whatever the libraries throw is the driver's to report
            print(f"error {type(e).__name__}: {e}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
