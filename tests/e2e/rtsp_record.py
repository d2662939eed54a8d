#!/usr/bin/python3
"""Takes one RTSP stream (ANNOUNCE, RECORD) into a Matroska file: rtsp_record.py PORT FILE."""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
port, path = sys.argv[1:]
server = GstRtspServer.RTSPServer(service=port, address="127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
factory.set_launch(
    "( matroskamux name=mux streamable=true ! filesink async=false "
    f"location={path} rtph264depay name=depay0 ! h264parse ! mux. )")
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
