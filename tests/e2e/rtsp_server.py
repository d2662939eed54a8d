"""A live RTSP camera for tests: a test picture and a tone at /live, or a clip of H.264 and AAC.

usage: rtsp_server.py PORT WIDTH HEIGHT [USER:PASSWORD | --clip FILE.mp4]
Prints "ready" when it listens; ends with code 77 where what it needs is not installed.
"""
import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as missing:
    print(f"missing: {missing}", flush=True)
    sys.exit(77)

PICTURE = (
    "videotestsrc is-live=true ! video/x-raw,width={},height={},framerate=25/1 ! "
    "openh264enc gop-size=25 complexity=low multi-thread=1 ! h264parse ! "
    "rtph264pay name=pay0 pt=96 config-interval=1"
)
SOUND = "audiotestsrc is-live=true ! audio/x-raw,rate=8000 ! alawenc ! rtppcmapay name=pay1 pt=97"
CLIP = (
    "filesrc location={} ! qtdemux name=clip "
    "clip. ! queue ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 "
    "clip. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97"
)
NEEDED = ["videotestsrc", "audiotestsrc", "openh264enc", "h264parse", "rtph264pay", "alawenc", "rtppcmapay"]


def protect(server, factory, user, password):
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    factory.add_role_from_structure(
        Gst.Structure.new_from_string(
            f"user,{GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS}=(boolean)true,"
            f"{GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT}=(boolean)true"
        )
    )


def main():
    port, width, height = sys.argv[1:4]
    Gst.init(None)
    missing = [name for name in NEEDED if not Gst.ElementFactory.find(name)]
    if missing:
        print("missing:", *missing, flush=True)
        sys.exit(77)
    server = GstRtspServer.RTSPServer()
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    if sys.argv[4:5] == ["--clip"]:
        factory.set_launch(f"( {CLIP.format(sys.argv[5])} )")
    else:
        factory.set_launch(f"( {PICTURE.format(width, height)} {SOUND} )")
    if len(sys.argv) == 5:
        protect(server, factory, *sys.argv[4].split(":"))
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        sys.exit("cannot listen")
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
