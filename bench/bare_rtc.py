#!/usr/bin/env python3
"""The least that serves WHEP by webrtcbin: one x264enc, and for each viewer a branch of its own.

usage: bench/bare_rtc.py PORT FOLDER

FOLDER holds pictures of 640x360 as 00000.i420 and so on, shown over and over at 15 a second. Prints "ready".
Python only answers POSTs: from the pictures to the packets all runs in GStreamer's threads. Encoder, feedback
and retransmissions are as in src/pipeline/stage_rung.c and src/rtc/peer_media.c. Who has joined stays.
"""
import http.server
import pathlib
import random
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

SOURCE = (
    "multifilesrc location={folder}/%05d.i420 stop-index={last} loop=true ! "
    "rawvideoparse format=i420 width=640 height=360 framerate=15/1 ! clocksync ! "
    "x264enc name=encoder tune=zerolatency speed-preset=superfast bitrate=600 vbv-buf-capacity=120 "
    "key-int-max=150 threads=1 sliced-threads=false option-string=scenecut=0 ! "
    "video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au ! "
    "tee name=tee allow-not-linked=true"
)
VIEWER = (
    "queue name=queue leaky=downstream max-size-buffers=10 ! "
    "rtph264pay mtu=1200 config-interval=-1 aggregate-mode=zero-latency ssrc={ssrc} ! "
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,ssrc=(uint){ssrc},"
    "packetization-mode=(string)1,rtcp-fb-transport-cc=(boolean)true,"
    'extmap-3=(string)"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",'
    'extmap-5=(string)"http://www.webrtc.org/experiments/rtp-hdrext/playout-delay" ! '
    "webrtcbin name=webrtc bundle-policy=max-bundle latency=0"
)
KEY_S = 0.5  # between two keyframes that joins ask for, at least


class Bare:
    def __init__(self, folder):
        last = len(list(pathlib.Path(folder).glob("*.i420"))) - 1
        self.pipeline = Gst.parse_launch(SOURCE.format(folder=folder, last=last))
        self.tee = self.pipeline.get_by_name("tee")
        self.encoder = self.pipeline.get_by_name("encoder")
        self.lock = threading.Lock()
        self.key_at = 0
        self.kept = []
        self.pipeline.set_state(Gst.State.PLAYING)

    def want_key(self):
        now = time.monotonic()
        if now - self.key_at >= KEY_S:
            self.key_at = now
            structure = Gst.Structure.new_from_string("GstForceKeyUnit, all-headers=(boolean)true")
            self.encoder.get_static_pad("src").send_event(
                Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, structure))

    def connected(self, webrtc, _):
        if webrtc.props.connection_state == GstWebRTC.WebRTCPeerConnectionState.CONNECTED:
            # What was sent before is lost, and a wish may have been answered just before.
            GLib.timeout_add(int(1e3 * KEY_S), lambda: self.want_key())
            self.want_key()

    def join(self, offer):
        """The answer, with all candidates."""
        branch = Gst.parse_bin_from_description(VIEWER.format(ssrc=random.getrandbits(31)), False)
        webrtc = branch.get_by_name("webrtc")
        ice = webrtc.props.ice_agent
        self.kept.append(ice)  # webrtcbin's reference floats: Python's becomes the only one
        ice.props.agent.set_property("upnp", False)
        ice.props.agent.set_property("ice-tcp", False)
        webrtc.connect("notify::connection-state", self.connected)
        branch.add_pad(Gst.GhostPad.new("sink", branch.get_by_name("queue").get_static_pad("sink")))
        self.pipeline.add(branch)
        for transceiver in transceivers(webrtc):
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            transceiver.set_property("do-nack", True)
        branch.sync_state_with_parent()
        answer = negotiate(webrtc, offer)
        self.tee.request_pad_simple("src_%u").link(branch.get_static_pad("sink"))
        return answer


def transceivers(webrtc):
    n = 0
    while transceiver := webrtc.emit("get-transceiver", n):
        yield transceiver
        n += 1


def ask(webrtc, action, what):
    promise = Gst.Promise.new()
    webrtc.emit(action, what, promise)
    promise.wait()
    return promise.get_reply()


def negotiate(webrtc, offer):
    _, sdp = GstSdp.SDPMessage.new_from_text(offer)
    ask(webrtc, "set-remote-description",
        GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, sdp))
    reply = ask(webrtc, "create-answer", None)  # the answer lives in it
    answer = reply.get_value("answer")
    ask(webrtc, "set-local-description", answer)
    while webrtc.props.ice_gathering_state != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        time.sleep(0.002)
    local = webrtc.props.local_description
    return local.sdp.as_text()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200)

    def do_DELETE(self):
        self.answer(200)

    def do_POST(self):
        offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.bare.lock:
            answer = self.server.bare.join(offer)
        self.answer(201, answer.encode(), Content_Type="application/sdp", Location="/session")

    def log_message(self, *_):
        pass


def main():
    Gst.init(None)
    if not Gst.ElementFactory.find("x264enc"):
        sys.exit("no x264enc: gstreamer1.0-plugins-ugly")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.bare = Bare(sys.argv[2])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
