#!/usr/bin/env python3
"""Serves a clip by WHEP with aiortc, as its examples do: decoded once, encoded for each viewer.

usage: bench/aiortc_serve.py PORT CLIP BITRATE [PRESET]

POST /whep answers an offer; prints "ready" when it listens. The rate is that of our rung, as aiortc's own is higher. Its
encoder is as it comes, x264's medium, which nobody can change but from inside; with PRESET we do.
"""
import asyncio
import fractions
import functools
import sys

import av
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import h264
from aiortc.contrib.media import MediaPlayer, MediaRelay

RATE = 15


def open_encoder(preset, codec_name, width, height, bitrate):
    codec = av.CodecContext.create(codec_name, "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.bit_rate = bitrate
    codec.framerate = fractions.Fraction(RATE, 1)
    codec.time_base = fractions.Fraction(1, RATE)
    codec.options = {"profile": "baseline", "level": "31", "tune": "zerolatency", "preset": preset, "threads": "1"}
    codec.open()
    return codec, False


class Whep:
    def __init__(self, clip):
        self.player = MediaPlayer(clip, loop=True)
        self.relay = MediaRelay()
        self.peers = set()

    async def post(self, request):
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peers.add(peer)
        peer.addTrack(self.relay.subscribe(self.player.video))
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.Response(status=201, text=peer.localDescription.sdp, content_type="application/sdp",
                            headers={"Location": "/session"})

    async def ok(self, _):
        return web.Response()


async def main():
    h264.DEFAULT_BITRATE = int(sys.argv[3])
    if len(sys.argv) > 4:
        h264.create_encoder_context = functools.partial(open_encoder, sys.argv[4])
    whep, app = Whep(sys.argv[2]), web.Application()
    app.add_routes([web.post("/whep", whep.post), web.get("/whep", whep.ok),
                    web.delete("/session", whep.ok)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1])).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
