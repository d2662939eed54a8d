"""References: what a linear decode of a clip gives, by the ffmpeg command line.

The command is the plainest linear decode there is: one thread, every frame the decoder gives
(none dropped, none repeated to fill a rate), no rotation, no scaling when the size changes.
"""
import os
import subprocess
from dataclasses import dataclass, field

# V:0 is the first video stream that is no attached picture.
INPUT = ["-noautorotate"]
OUTPUT = ["-map", "0:V:0", "-an", "-vsync", "passthrough", "-autoscale", "0",
          "-enc_time_base", "-1", "-f"]


def command(path, threads=("-threads", "1"), form=("framemd5", "-")):
    return (["ffmpeg", "-nostdin", "-v", "error", *threads, *INPUT, "-i", path] + OUTPUT
            + list(form))


@dataclass
class Reference:
    md5s: list                                  # frame n's md5
    pts: list                                   # its time as framemd5 prints it
    time_base: tuple = (1, 1)
    names: dict = field(default_factory=dict)   # md5 -> frame numbers
    error: str = ""                             # what ffmpeg complained of


def parse(text):
    md5s, pts, base = [], [], (1, 1)
    for line in text.splitlines():
        if line.startswith("#tb"):
            num, den = line.split(":")[1].strip().split("/")
            base = (int(num), int(den))
        elif line and not line.startswith("#"):
            parts = [p.strip() for p in line.split(",")]
            pts.append(int(parts[2]))
            md5s.append(parts[5])
    ref = Reference(md5s, pts, base)
    for n, md5 in enumerate(md5s):
        ref.names.setdefault(md5, []).append(n)
    return ref


def decode(path, threads=("-threads", "1")):
    done = subprocess.run(command(path, threads), capture_output=True, text=True, errors="replace",
                          timeout=300, check=False)
    ref = parse(done.stdout)
    ref.error = done.stderr.strip()
    return ref


def load(path, cache):
    """The reference of the clip at path, kept in the file `cache` while the clip is unchanged."""
    stat = os.stat(path)
    stamp = f"# {stat.st_size} {stat.st_mtime_ns} {' '.join(command('X'))}"
    try:
        with open(cache, encoding="utf-8") as file:
            text = file.read()
        if text.split("\n", 1)[0] == stamp:
            return parse(text)
    except OSError:
        pass
    done = subprocess.run(command(path), capture_output=True, text=True, errors="replace",
                          timeout=300, check=False)
    with open(cache, "w", encoding="utf-8") as file:
        file.write(stamp + "\n" + done.stdout)
    return parse(done.stdout)


def numbers(path, cell, count=4000):
    """The numbers burnt into the frames, read from the 16 blocks at the top; -1 where they are
    damaged. cell: a block's width in pixels."""
    crop = f"crop={16 * cell}:8:0:4,format=gray,scale=16:1:flags=area"
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "quiet", "-threads", "1", *INPUT, "-i", path, "-map", "0:V:0",
         "-an", "-vsync", "passthrough", "-vf", crop, "-frames:v", str(count), "-f", "rawvideo",
         "-"], capture_output=True, timeout=300, check=False)
    found = []
    for at in range(0, len(done.stdout) - 15, 16):
        row = done.stdout[at:at + 16]
        clear = all(v < 80 or v > 170 for v in row)
        found.append(sum((v > 128) << (15 - k) for k, v in enumerate(row)) if clear else -1)
    return found
