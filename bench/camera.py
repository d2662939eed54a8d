#!/usr/bin/env python3
"""A camera at rtsp://127.0.0.1:PORT/live, 1280x720 at 30 fps, that burns the time into its pictures.

usage: bench/camera.py PORT

Prints "ready" when it listens. Time is the wall clock's in ms, as strip.py draws it, when a picture is
given to the encoder: what encoding and sending take counts as the camera's part of the way.
"""
import sys
import threading
import time

import gi
import numpy as np

import strip

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

WIDTH, HEIGHT, RATE = 1280, 720, 30
LAUNCH = (
    "( appsrc name=src is-live=true do-timestamp=true format=time block=false "
    f"caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={RATE}/1 ! "
    "{encoder} ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 "
    "aggregate-mode=zero-latency )"
)
ENCODERS = {
    "x264enc": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=4000",
    "openh264enc": "openh264enc gop-size=30 complexity=low multi-thread=1 bitrate=4000000",
}


def pictures():
    """Some seconds of a moving scene: large shapes, some texture."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    texture = np.random.default_rng(1).integers(0, 24, (HEIGHT, WIDTH))
    scene = (96 + 60 * np.sin(x / 97) * np.cos(y / 61) + texture).astype(np.uint8)
    chroma = np.full(WIDTH * HEIGHT // 2, 128, np.uint8)
    for n in range(2 * RATE):
        yield np.concatenate((np.roll(scene, 4 * n, axis=1).ravel(), chroma))


def feed(source, scene):
    """Until the pipeline is gone."""
    start, n = time.monotonic(), 0
    while True:
        time.sleep(max(0, start + n / RATE - time.monotonic()))
        data = scene[n % len(scene)].copy()
        strip.draw(data[:WIDTH * HEIGHT].reshape(HEIGHT, WIDTH), time.time_ns() // 1_000_000)
        if source.emit("push-buffer", Gst.Buffer.new_wrapped(data.tobytes())) != Gst.FlowReturn.OK:
            return
        n += 1


def main():
    Gst.init(None)
    encoder = next((text for name, text in ENCODERS.items() if Gst.ElementFactory.find(name)), None)
    if not encoder:
        sys.exit(f"none of these GStreamer encoders is here: {', '.join(ENCODERS)}")
    scene = list(pictures())
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    factory.set_latency(0)
    factory.set_launch(LAUNCH.format(encoder=encoder))

    def configure(_, media):
        source = media.get_element().get_by_name("src")
        threading.Thread(target=feed, args=(source, scene), daemon=True).start()

    factory.connect("media-configure", configure)
    server = GstRtspServer.RTSPServer()
    server.set_service(sys.argv[1])
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        sys.exit("cannot listen")
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
