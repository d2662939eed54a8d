"""The videos that benchmarks work on, made once and kept in bench/work."""
import os
import pathlib
import struct
import subprocess

from harness import WORK, BenchError, execute, say, tool

MIB = 1 << 20


def make(name, writer):
    """bench/work/name, written by writer(path) under another name first if it is not there."""
    path = WORK / name
    if not path.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        say(f"making {path.name} (once)")
        part = path.with_name("part-" + name)
        writer(part)
        part.rename(path)
    return path


def encode(context, path, width, height, frames):
    """Shots of the made-up match through x264, as `ffmpeg -preset veryfast -crf 21` does it."""
    picture = [context.program("clip"), str(width), str(height), str(frames)]
    encoder = [tool("ffmpeg"), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p",
               "-s", f"{width}x{height}", "-r", "30", "-i", "-", "-c:v", "libx264",
               "-preset", "veryfast", "-crf", "21", "-movflags", "+faststart", str(path)]
    with subprocess.Popen(picture, stdout=subprocess.PIPE) as source:
        done = subprocess.run(encoder, stdin=source.stdout, check=False)
    if done.returncode != 0 or source.returncode != 0:
        raise BenchError(f"cannot make {path}")


def hd(context):
    """1920x1080, 30 fps, 60 s: H.264 High, 3 B-frames with pyramid, GOP <= 250."""
    return make("clip.mp4", lambda path: encode(context, path, 1920, 1080, 1800))


def small(context):
    """Four videos of 640x360, 30 s each: more pictures than the answer cache holds."""
    whole = make("small.mp4", lambda path: encode(context, path, 640, 360, 3600))

    def cut(path, first):
        execute([tool("ffmpeg"), "-v", "error", "-y", "-i", whole, "-vf",
                 f"trim=start_frame={first}:end_frame={first + 900},setpts=PTS-STARTPTS",
                 "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", path])
    return [make(f"small{i}.mp4", lambda path, i=i: cut(path, 900 * i)) for i in range(4)]


def two_hours():
    """216,000 frames, tiny: two minutes sixty times over."""
    def write(path):
        piece = path.with_name("piece.mp4")
        execute([tool("ffmpeg"), "-v", "error", "-y", "-f", "lavfi", "-i",
                 "testsrc2=size=64x64:rate=30:duration=120", "-c:v", "libx264", "-preset",
                 "veryfast", piece])
        execute([tool("ffmpeg"), "-v", "error", "-y", "-stream_loop", "59", "-i", piece,
                 "-c", "copy", path])
        piece.unlink()
    return make("two-hours.mp4", write)


def padded(source, size):
    """source followed by a `free` box of bytes that do not compress: a large file that is quick
    to index."""
    def write(path):
        data = pathlib.Path(source).read_bytes()
        block = os.urandom(MIB)
        left = size - len(data)
        with open(path, "wb") as out:
            out.write(data + struct.pack(">I4sQ", 1, b"free", left))
            left -= 16
            while left > 0:
                left -= out.write(block[:left])
    return make(f"padded-{size // MIB}.mp4", write)


def describe(path):
    """Prints the clip's figures; returns its number of frames."""
    rows = execute([tool("ffprobe"), "-v", "error", "-select_streams", "v:0", "-show_entries",
                    "packet=flags", "-of", "csv=p=0", path]).split()
    keys = sum("K" in row for row in rows)
    about = execute([tool("ffprobe"), "-v", "error", "-select_streams", "v:0", "-show_entries",
                     "stream=profile,width,height,has_b_frames,bit_rate,avg_frame_rate", "-of",
                     "csv=p=0", path]).strip()
    profile, width, height, reorder, rate, bits = about.split(",")
    say(f"clip: {width}x{height} H.264 {profile}, {len(rows)} frames at {rate}, {keys} keyframes, "
        f"reordering {reorder}, {int(bits) / 1e6:.2f} Mbit/s")
    return len(rows)
