"""The exactness cases: name, what is special, how the clip is made, what we define where FFmpeg's
own answer is not well-defined."""
from dataclasses import dataclass

from recipe import encode, ff, join, py

# What `n` means where times do not say it.
DECODER_ORDER = "n is the frame's place in the order the decoder gives frames"
CUT = "pictures before the first recovery is complete are no frames; the raw stream has no times"
VERIFIED = "what an entry point hides is known once the index is verified; exact from then on"
DAMAGED = ("what the linear decode of the damaged file gives counts, concealed frames included; "
           + DECODER_ORDER)


@dataclass
class Case:
    name: str
    special: str         # what is nasty about it
    steps: list          # of recipe.py; or a path below shared/media
    defines: str = ""    # what we define where FFmpeg's answer is not well-defined
    sample: int = 0      # reverse, shuffled, ... orders ask for this many frames; 0 = run.SAMPLE
    repeats: bool = False  # times repeat or are missing: only the frame's n is checked, not t
    full: bool = False   # the reverse order asks for every frame
    lies: bool = False   # entering at a keyframe gives other pictures, unnoticed: all orders use
                         # a verified index

    def verdicts(self):
        """What a verification may say."""
        if self.lies:
            return ("differs",)
        return ("exact", "differs") if self.defines == DAMAGED else ("exact",)


def x264(params="", args="", ext="mp4", **kw):
    kw.setdefault("frames", 100)
    extra = f" -x264-params {params}" if params else ""
    return encode(f"-c:v libx264 -preset veryfast -g 25 -pix_fmt yuv420p {args}{extra}", ext, **kw)


def x265(params="", args="", ext="mp4", **kw):
    kw.setdefault("frames", 75)
    full = "log-level=error:pools=2" + (":" + params if params else "")
    return encode(f"-c:v libx265 -preset ultrafast {args} -x265-params {full}", ext, **kw)


def copy(ext, before="", after="", **kw):
    return ff(f"{before} -i IN -map 0 -c copy {after}", ext, **kw)


BASE = x264("bframes=3:b-adapt=0")                           # closed GOPs of 25, B-frames
OPEN = x264("open-gop=1:bframes=3:b-adapt=0:keyint=20:min-keyint=20")
HEVC_OPEN = x265("open-gop=1:bframes=4:b-adapt=0:keyint=20:min-keyint=20:repeat-headers=1",
                 "-pix_fmt yuv420p", "hevc", frames=100)
ALTREF = ("-auto-alt-ref 1 -lag-in-frames 16 -arnr-maxframes 5 -b:v 100k -g 40 -deadline good "
          "-cpu-used 5 -pass 2 -passlogfile LOG")
ALTREF_8 = encode(f"-c:v libvpx {ALTREF}", "webm", frames=70, size="192x144")
ALTREF_9 = encode(f"-c:v libvpx-vp9 {ALTREF}", "webm", frames=70, size="192x144")
RAW = "-bsf:v h264_mp4toannexb"
TS = "-muxdelay 0 -muxpreload 0"


def ts_segment(offset, frames=60, **kw):
    return [x264("bframes=2:b-adapt=0", frames=frames, **kw),
            copy("ts", after=f"{TS} -output_ts_offset {offset}")]


CASES = [
    # H.264: how pictures refer to each other
    Case("h264-closed", "closed GOPs, B-frames", [BASE]),
    Case("h264-open", "open GOPs: leading B-frames refer to the GOP before", [OPEN], full=True),
    Case("h264-open-mkv", "open GOPs in Matroska", [OPEN, copy("mkv")]),
    Case("h264-pyramid", "B-pyramid, 16 reference frames",
         [x264("ref=16:bframes=8:b-adapt=0:b-pyramid=normal:keyint=60")], full=True),
    Case("h264-refresh", "periodic intra refresh, one IDR only",
         [x264("intra-refresh=1:keyint=30:bframes=0")], full=True),
    Case("h264-refresh-ts", "periodic intra refresh in a transport stream",
         [x264("intra-refresh=1:keyint=30:bframes=0"), copy("ts")]),
    Case("h264-refresh-cut", "begins within a refresh, no IDR at all",
         [x264("intra-refresh=1:keyint=30:bframes=0:repeat-headers=1", ext="h264"),
          py("h264_from", "h264", packet=40)], CUT, repeats=True),
    Case("h264-open-cut", "begins at a recovery point with leading pictures",
         [OPEN, copy("h264", after=RAW), py("h264_from", "h264", packet=20)], CUT, repeats=True),
    Case("h264-mbaff", "interlaced, MBAFF",
         [x264("tff=1:bframes=2:b-adapt=0", "-flags +ilme+ildct", pre="tinterlace=interleave_top",
               rate="50")]),
    Case("h264-slices", "eight slices a picture", [x264("slices=8:bframes=2")]),
    Case("h264-high10", "10 bits", [x264(args="-pix_fmt yuv420p10le")]),
    Case("h264-422", "4:2:2, 10 bits", [x264(args="-pix_fmt yuv422p10le")]),
    Case("h264-444", "4:4:4", [x264(args="-pix_fmt yuv444p")]),
    Case("h264-lossless", "lossless, 4:4:4 predictive", [x264("qp=0", "-qp 0", frames=60)]),
    Case("h264-one-key", "one keyframe in the whole file",
         [x264("keyint=infinite:scenecut=0:bframes=3")]),
    Case("h264-gop600", "GOPs of 600 frames, 1300 frames",
         [x264("keyint=600:min-keyint=600:scenecut=0:bframes=3", frames=1300, size="160x96")],
         sample=8),
    Case("h264-intra", "keyframes only", [x264("keyint=1")]),
    Case("h264-adaptive", "adaptive B-frames and scene cuts",
         [x264("keyint=80:bframes=5:b-adapt=2:scenecut=60", frames=150,
               pre="eq=brightness='if(mod(floor(n/37),2),0.3,-0.2)':eval=frame")]),
    # H.264: fields (written by bits.py)
    Case("paff-raw", "field pictures, raw Annex B",
         [py("write_fields", "h264")], DECODER_ORDER + "; the raw stream has no times",
         repeats=True),
    Case("paff-mp4-fields", "field pictures, a sample a field",
         [py("write_fields", "mp4", form="fields")]),
    Case("paff-mp4-pairs", "field pictures, both fields in one sample",
         [py("write_fields", "mp4", form="pairs")]),
    Case("paff-adaptive", "field and frame pictures mixed",
         [py("write_fields", "mp4", form="pairs", adaptive=True)]),
    Case("paff-adaptive-fields", "field and frame pictures mixed, a sample a field",
         [py("write_fields", "mp4", form="fields", adaptive=True)], full=True),
    Case("paff-ts", "field pictures in a transport stream",
         [py("write_fields", "mp4", form="pairs"), copy("ts")]),
    Case("paff-lone", "some pictures have one field only",
         [py("write_fields", "mp4", form="fields", lone=True)],
         "a picture of one field counts as a frame, as the decoder gives it", full=True),
    Case("lie-h264", "pictures behind a recovery point refer to what was before it",
         [py("write_lying_entries", "mp4")], VERIFIED, lies=True),
    Case("lie-h264-all", "they do behind every recovery point, one keyframe after another",
         [py("write_lying_entries", "mp4", every=1)], VERIFIED, lies=True),
    Case("lie-mpeg2", "the second field of some I pictures refers to the picture before",
         [py("write_mpeg2_fields", "m2v", lie=True), copy("mp4", before="-fflags +genpts")],
         VERIFIED, lies=True),
    # HEVC
    Case("hevc-closed", "closed GOPs", [x265("keyint=25:bframes=4:open-gop=0",
                                             "-pix_fmt yuv420p")]),
    Case("hevc-open", "CRA with RASL leading pictures",
         [x265("open-gop=1:bframes=4:b-adapt=0:keyint=20:min-keyint=20", "-pix_fmt yuv420p")], full=True),
    Case("hevc-open-raw", "CRA with RASL leading pictures, raw", [HEVC_OPEN],
         DECODER_ORDER + "; the raw stream has no times", repeats=True),
    Case("hevc-cra-first", "begins with a CRA: its RASL pictures cannot be decoded",
         [HEVC_OPEN, py("hevc_from_cra", "hevc")],
         "undecodable RASL pictures are no frames; " + DECODER_ORDER, repeats=True),
    Case("hevc-cra-first-ts", "begins with a CRA, with times, in a transport stream",
         [x265("open-gop=1:bframes=4:b-adapt=0:keyint=20:min-keyint=20", "-pix_fmt yuv420p"),
          copy("ts", before="-ss 0.8")], "undecodable RASL pictures are no frames"),
    Case("hevc-cra-first-mkv", "begins with a CRA, with times, in Matroska",
         [x265("open-gop=1:bframes=4:b-adapt=0:keyint=20:min-keyint=20", "-pix_fmt yuv420p"),
          copy("mkv", before="-ss 0.8")], "undecodable RASL pictures are no frames"),
    Case("hevc-main10", "10 bits", [x265("bframes=3", "-pix_fmt yuv420p10le -tag:v hvc1")]),
    Case("hevc-hdr10", "PQ, BT.2020, mastering metadata", [x265(
        "bframes=3:hdr10=1:repeat-headers=1:master-display=G(13250,34500)B(7500,3000)"
        "R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400",
        "-pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc")]),
    Case("hevc-fields", "field coding: each field is a picture",
         [x265("interlace=tff:bframes=2", "-pix_fmt yuv420p", pre="", rate="50")],
         "each coded field is a frame, as the decoder gives it"),
    Case("hevc-444", "4:4:4, 12 bits", [x265("bframes=2", "-pix_fmt yuv444p12le", frames=50)]),
    # VP8, VP9, AV1
    Case("vp8-altref", "hidden alt-ref frames, packets of their own", [ALTREF_8]),
    Case("vp8-ivf", "hidden alt-ref frames in IVF", [ALTREF_8, copy("ivf")]),
    Case("vp9-altref", "hidden alt-ref frames in superframes", [ALTREF_9], full=True),
    Case("vp9-ivf", "hidden alt-ref frames in IVF", [ALTREF_9, copy("ivf")]),
    Case("vp9-mp4", "VP9 in MP4", [ALTREF_9, copy("mp4")]),
    Case("vp9-odd", "odd size", [encode(
        "-c:v libvpx-vp9 -b:v 200k -g 30 -deadline realtime -cpu-used 8", "webm", frames=60,
        size="319x241")]),
    Case("vp9-resize", "the size changes mid-stream (references scaled or key)", [join(
        "join_ivf", "ivf",
        [encode("-c:v libvpx-vp9 -b:v 200k -g 30 -deadline realtime -cpu-used 8", "ivf",
                frames=50)],
        [encode("-c:v libvpx-vp9 -b:v 200k -g 30 -deadline realtime -cpu-used 8", "ivf",
                frames=50, size="192x144")])]),
    Case("av1-svt", "SVT-AV1, hidden frames", [encode(
        "-c:v libsvtav1 -preset 12 -g 32 -svtav1-params irefresh-type=1", "mp4", frames=80)]),
    Case("av1-svt-mkv", "SVT-AV1 in Matroska", [encode(
        "-c:v libsvtav1 -preset 12 -g 32", "mkv", frames=80)]),
    Case("av1-aom", "libaom, alt-ref, show-existing frames", [encode(
        "-c:v libaom-av1 -cpu-used 8 -lag-in-frames 19 -g 30 -b:v 200k -row-mt 1", "mkv",
        frames=60, size="192x144")]),
    Case("av1-aom-mp4", "libaom in MP4", [encode(
        "-c:v libaom-av1 -cpu-used 8 -lag-in-frames 19 -g 30 -b:v 200k -row-mt 1", "mp4",
        frames=60, size="192x144")]),
    # MPEG-1, -2, -4 and older
    Case("mpeg2-open-ts", "open GOPs in a transport stream",
         [encode("-c:v mpeg2video -bf 2 -g 15 -q:v 4", "ts")]),
    Case("mpeg2-open-ps", "open GOPs in a program stream",
         [encode("-c:v mpeg2video -bf 2 -g 15 -q:v 4 -f vob", "mpg")]),
    Case("mpeg2-raw", "open GOPs, raw stream",
         [encode("-c:v mpeg2video -bf 2 -g 15 -q:v 4", "m2v")],
         DECODER_ORDER + "; the raw stream has no times", repeats=True),
    Case("mpeg2-interlaced", "interlaced frame pictures", [encode(
        "-c:v mpeg2video -bf 2 -g 15 -q:v 4 -flags +ilme+ildct -alternate_scan 1", "ts",
        pre="tinterlace=interleave_top", rate="50")]),
    Case("mpeg2-fields", "I, P and B field pictures, open GOPs, in a transport stream",
         [py("write_mpeg2_fields", "m2v"), copy("ts", before="-fflags +genpts")],
         DECODER_ORDER + "; the stream's times were made up from its raw form", repeats=True, full=True),
    Case("mpeg2-fields-raw", "I, P and B field pictures, open GOPs, raw stream",
         [py("write_mpeg2_fields", "m2v")],
         DECODER_ORDER + "; the raw stream has no times", repeats=True),
    Case("mpeg2-422", "4:2:2", [encode(
        "-c:v mpeg2video -pix_fmt yuv422p -bf 2 -g 12 -q:v 4", "ts", frames=60)]),
    Case("mpeg1", "MPEG-1 system stream", [encode("-c:v mpeg1video -bf 2 -g 15 -q:v 4", "mpg")]),
    Case("mpeg4-packed", "packed B-frames in AVI (libxvid)", [encode(
        "-c:v libxvid -bf 2 -g 30 -q:v 4", "avi")], DECODER_ORDER, repeats=True),
    Case("mpeg4-unpacked", "B-frames in AVI, not packed", [encode(
        "-c:v mpeg4 -bf 2 -g 30 -q:v 4", "avi")], DECODER_ORDER, repeats=True),
    Case("mpeg4-mp4", "B-frames, quarter-pel, MP4", [encode(
        "-c:v mpeg4 -bf 2 -g 30 -q:v 4 -flags +qpel+mv4", "mp4")]),
    Case("mjpeg-avi", "MJPEG, full range", [encode("-c:v mjpeg -q:v 4 -pix_fmt yuvj420p", "avi",
                                                   frames=60)]),
    Case("mjpeg-mov", "MJPEG in MOV, 4:2:2", [encode("-c:v mjpeg -q:v 4 -pix_fmt yuvj422p", "mov",
                                                     frames=60)]),
    Case("prores", "ProRes 4:2:2, 10 bits", [encode("-c:v prores_ks -profile:v 0", "mov",
                                                    frames=60, size="192x144")]),
    Case("ffv1", "FFV1, GOP 1", [encode("-c:v ffv1 -level 3 -g 1", "mkv", frames=60)]),
    Case("ffv1-gop", "FFV1 whose contexts carry over frames", [encode(
        "-c:v ffv1 -level 1 -context 1 -g 20", "mkv", frames=60)]),
    Case("ffv1-odd", "FFV1, odd size", [encode("-c:v ffv1 -level 3 -pix_fmt yuv420p", "mkv",
                                               frames=60, size="319x241")]),
    Case("huffyuv", "HuffYUV in AVI", [encode("-c:v huffyuv -pix_fmt yuv422p", "avi", frames=60)]),
    Case("flv", "Sorenson H.263 in FLV", [encode("-c:v flv -g 30 -q:v 4", "flv")]),
    Case("flv-h264", "H.264 in FLV", [BASE, copy("flv")]),
    Case("wmv2", "WMV 8 in ASF", [encode("-c:v wmv2 -g 30 -q:v 4", "asf")]),
    Case("theora", "Theora in Ogg", [encode("-c:v libtheora -g 32 -q:v 5", "ogv")]),
    Case("qtrle", "QuickTime Animation, delta frames", [encode(
        "-c:v qtrle -g 30", "mov", frames=60, size="192x144", noise=0)]),
    Case("png-mov", "PNG in MOV, RGB", [encode("-c:v png -pix_fmt rgb24", "mov", frames=40,
                                               size="192x144")]),
    Case("gif", "GIF, frames drawn over each other", [encode("", "gif", frames=50, size="192x144",
                                                             rate="10", noise=0)]),
    Case("apng", "APNG", [encode("-f apng", "apng", frames=40, size="192x144", noise=0)]),
    # Times
    Case("edit-skip", "edit list: begins mid-GOP", [BASE, py("set_edits", "mp4",
                                                             edits=((3.0, 0.52),))], full=True),
    Case("edit-empty", "edit list: begins with an empty edit",
         [BASE, py("set_edits", "mp4", edits=((0.5, -1), (3.5, 0.08)))]),
    Case("edit-both", "edit list: empty edit, then mid-GOP",
         [BASE, py("set_edits", "mp4", edits=((0.4, -1), (2.0, 0.76)))]),
    Case("edit-short", "edit list: ends before the last frames",
         [BASE, py("set_edits", "mp4", edits=((1.5, 0.08),))]),
    Case("edit-copy", "cut by stream copy: the first GOP is half hidden",
         [BASE, copy("mp4", before="-ss 1.5")]),
    Case("edit-copy-open", "cut by stream copy, open GOPs", [OPEN, copy("mp4", before="-ss 1.5")]),
    Case("start-negative", "times begin at -0.4 s, no edit list",
         [py("write_fields", "mp4", form="pairs", early=10)]),
    Case("start-negative-ts", "times begin just before the 33-bit clock wraps", [BASE, copy(
        "ts", after="-avoid_negative_ts disabled -output_ts_offset -2.5")]),
    Case("start-late-ts", "times begin at 1000 s", [BASE, copy("ts",
                                                              after="-output_ts_offset 1000")]),
    Case("start-late-mkv", "times begin at 50 s", [BASE, copy("mkv",
                                                             after="-output_ts_offset 50")]),
    Case("vfr-mp4", "variable frame rate with a long still", [x264(
        "bframes=3", "-vsync passthrough -enc_time_base 1:90000 -video_track_timescale 90000",
        post="settb=1/90000,setpts='if(lt(N,40),N*3003,if(lt(N,41),N*3003,900000+N*1501+mod(N*N,7)"
             "*100))'")]),
    Case("vfr-mkv", "variable frame rate in milliseconds", [x264(
        "bframes=3", "-vsync passthrough -enc_time_base 1:1000", "mkv",
        post="settb=1/1000,setpts='N*33+mod(N*N,13)+gte(N,50)*20000'")]),
    Case("time-repeated", "times repeat", [x264("bframes=0", ext="mkv"), copy(
        "mkv", after="-bsf:v 'setts=ts=PTS-40*eq(mod(N\\,10)\\,5)'")],
        "frames of equal time keep the decoder's order; " + DECODER_ORDER, repeats=True),
    Case("time-repeated-b", "times repeat among B-frames", [BASE, copy(
        "mkv", after="-bsf:v 'setts=pts=floor(PTS/80)*80'")],
        "frames of equal time keep the decoder's order; " + DECODER_ORDER, repeats=True),
    Case("time-missing-avi", "H.264 with B-frames in AVI: no display times", [BASE, copy("avi")],
         DECODER_ORDER, repeats=True),
    Case("time-missing-ts", "every third PES packet has no time",
         [BASE, copy("ts"), py("strip_pts", "ts")], DECODER_ORDER, repeats=True),
    Case("raw-h264", "raw Annex B, B-frames, no times", [BASE, copy("h264", after=RAW)],
         DECODER_ORDER + "; the raw stream has no times", repeats=True),
    Case("raw-h264-open", "raw Annex B, open GOPs", [OPEN, copy("h264", after=RAW)],
         DECODER_ORDER + "; the raw stream has no times", repeats=True),
    Case("raw-hevc", "raw HEVC", [x265("bframes=3:keyint=25", "-pix_fmt yuv420p", "hevc")],
         DECODER_ORDER + "; the raw stream has no times", repeats=True),
    Case("raw-mpeg4", "raw MPEG-4 with B-frames", [encode("-c:v mpeg4 -bf 2 -g 30 -q:v 4", "m4v")],
         DECODER_ORDER + "; the raw stream has no times", repeats=True),
    Case("ts-wrap", "the 33-bit clock wraps in the middle",
         [x264("bframes=2", frames=150), copy("ts", after="-output_ts_offset 95440.7")]),
    Case("ts-jump-forward", "clock jumps ahead by 1000 s", [join(
        "append", "ts", ts_segment(0), ts_segment(1000))],
        "a jump is not taken out of the times; " + DECODER_ORDER, repeats=True),
    Case("ts-jump-back", "clock jumps back", [join(
        "append", "ts", ts_segment(1000), ts_segment(10))],
        DECODER_ORDER + "; no frame of the first part is after one of the second", repeats=True),
    # Containers
    Case("mkv-cues", "Matroska with cues", [BASE, copy("mkv")]),
    Case("mkv-no-cues", "Matroska written to a pipe: no cues, no sizes",
         [BASE, copy("mkv", after="-f matroska", pipe=True)]),
    Case("mp4-fragmented", "fragments", [BASE, copy(
        "mp4", after="-movflags +frag_keyframe+empty_moov+default_base_moof")]),
    Case("mp4-fragment-frame", "a fragment a frame", [BASE, copy(
        "mp4", after="-movflags +frag_every_frame+empty_moov")]),
    Case("mp4-faststart", "moov at the front", [BASE, copy("mp4", after="-movflags +faststart")]),
    Case("mov-moov-end", "moov at the end", [BASE, copy("mov")]),
    Case("ts-m2ts", "packets of 192 bytes", [BASE, copy("m2ts")]),
    Case("ts-audio", "transport stream with audio interleaved", [BASE, ff(
        "-f lavfi -i sine=r=48000 -i IN -map 0 -map 1 -c:a mp2 -c:v copy -shortest", "ts")]),
    Case("audio-first", "the audio stream comes first", [BASE, ff(
        "-f lavfi -i sine=r=48000 -i IN -map 0 -map 1 -c:a aac -c:v copy -shortest", "mp4")]),
    Case("cover-first", "an attached picture is the first video stream", [BASE, ff(
        "-i IN -f lavfi -i color=red:s=64x64:d=0.04 -map 0 -map 1 -c:v:0 copy -c:v:1 mjpeg "
        "-frames:v:1 1 -disposition:v:1 attached_pic", "mp4"), py("cover_first", "mp4")]),
    Case("two-videos", "two video streams: the first counts", [BASE, ff(
        "-i IN -f lavfi -i testsrc=s=160x120:r=10:d=4 -map 0 -map 1 -c:v:0 copy -c:v:1 mpeg4",
        "mkv")]),
    # Damage
    Case("cut-mp4", "ends mid-frame, moov at the front", [BASE, copy(
        "mp4", after="-movflags +faststart"), py("cut_packet", "mp4", number=70)], DAMAGED),
    Case("cut-ts", "ends mid-frame", [BASE, copy("ts"), py("cut_ts", "ts")], DAMAGED),
    Case("cut-mkv", "ends mid-frame", [BASE, copy("mkv"),
                                       py("cut_packet", "mkv", number=70)], DAMAGED),
    Case("damage-ts", "bytes flipped mid-GOP", [BASE, copy("ts"), py("flip_ts", "ts")], DAMAGED),
    Case("damage-ts-header", "transport headers destroyed",
         [BASE, copy("ts"), py("flip_ts", "ts", mode="header")], DAMAGED),
    Case("damage-ts-lost", "transport packets lost",
         [BASE, copy("ts"), py("flip_ts", "ts", mode="lost")], DAMAGED),
    Case("damage-mp4", "bytes flipped mid-GOP",
         [BASE, py("flip_packets", "mp4", which=(12, 33, 34, 61))], DAMAGED),
    Case("damage-mp4-header", "packets whose first 16 bytes are destroyed",
         [BASE, py("flip_packets", "mp4", which=(12, 40), header=16)], DAMAGED),
    Case("damage-mp4-key", "a keyframe's header destroyed",
         [BASE, py("flip_packets", "mp4", which=(50,), header=16)], DAMAGED),
    Case("damage-mkv", "bytes flipped mid-GOP",
         [BASE, copy("mkv"), py("flip_packets", "mkv", which=(30, 62))], DAMAGED),
    Case("damage-mpeg4", "bytes flipped mid-GOP, MPEG-4", [encode(
        "-c:v mpeg4 -bf 2 -g 30 -q:v 4", "mp4"),
        py("flip_packets", "mp4", which=(20, 45))], DAMAGED),
    # Pictures
    Case("resize-ts", "the size changes mid-stream", [join(
        "append", "ts", ts_segment(0), ts_segment(3, size="192x144"))]),
    Case("resize-raw", "the size changes mid-stream, raw", [join(
        "append", "h264", [BASE, copy("h264", after=RAW)],
        [x264("bframes=3:b-adapt=0", size="192x144", frames=50), copy("h264", after=RAW)])],
        DECODER_ORDER + "; the raw stream has no times", repeats=True),
    Case("h264-odd", "odd size by 4:4:4", [x264(args="-pix_fmt yuv444p", size="319x241")]),
    Case("h264-crop", "cropped to a size that is no multiple of 16",
         [x264(size="318x242")]),
    Case("h264-tiny", "32x32", [x264(size="32x32")]),
    Case("sar", "pixels are not square", [x264(args="-aspect 16:9")]),
    Case("full-range", "full range BT.709", [x264(
        args="-color_range pc -colorspace bt709 -color_primaries bt709 -color_trc bt709")]),
] + [Case(f"turn-{how}", f"display matrix: {how}", [BASE, py("set_matrix", "mp4", to=how)])
     for how in ("90", "180", "270", "hflip", "vflip", "transpose")] + [
    # Real footage
    Case("car-detection", "real footage", "car-detection.mp4", sample=12),
    Case("bottle-detection", "real footage", "bottle-detection.mp4", sample=8),
]
