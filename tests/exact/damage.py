"""Damage done to files in a repeatable way: flipped bytes, destroyed headers, cut ends, PES headers
without times."""
import json
import random
import subprocess


def video_packets(path):
    """(pos, size, is key) of the first video stream's packets."""
    done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
                           "packet=pos,size,flags", "-of", "json", path],
                          capture_output=True, check=True)
    packets = json.loads(done.stdout)["packets"]
    return [(int(p["pos"]), int(p["size"]), "K" in p["flags"]) for p in packets if "pos" in p]


def flip_packets(data, path, which, seed=1, flips=6, header=0):
    """Flips bytes in the payload of the packets numbered `which`; header > 0 instead overwrites
    that many bytes at the packet's start."""
    out, rng = bytearray(data), random.Random(seed)
    packets = video_packets(path)
    for number in which:
        pos, size, _ = packets[number]
        if header:
            out[pos:pos + header] = b"\xff" * header
            continue
        for _ in range(flips):
            at = rng.randrange(min(40, size // 2), size)
            out[pos + at] ^= rng.randrange(1, 256)
    return bytes(out)


def cut_packet(data, path, number, part=0.5):
    """Ends the file in the middle of packet `number`."""
    pos, size, _ = video_packets(path)[number]
    return data[:pos + int(size * part)]


def cut_ts(data, path, part=0.6):
    """Ends the file within a transport packet."""
    return data[:int(len(data) * part) // 188 * 188 + 100]


def ts_packets(data, pid=0x100):
    """Offsets of the transport packets of pid, with whether a PES packet starts there."""
    for at in range(0, len(data) - 187, 188):
        if (data[at + 1] & 0x1F) << 8 | data[at + 2] == pid and data[at + 3] & 0x10:
            yield at, bool(data[at + 1] & 0x40)


def flip_ts(data, path, count=4, seed=1, mode="payload"):
    """Damages `count` video transport packets that start no PES packet: bytes of the payload, the
    sync byte and header, or the whole packet taken out."""
    rng = random.Random(seed)
    inner = [at for at, begins in ts_packets(data) if not begins]
    inner = inner[len(inner) // 5:]
    out = bytearray(data)
    for at in sorted(rng.sample(inner, count), reverse=True):
        if mode == "payload":
            for _ in range(3):
                out[at + rng.randrange(60, 188)] ^= rng.randrange(1, 256)
        elif mode == "header":
            out[at:at + 4] = b"\0\0\0\0"
        else:
            del out[at:at + 188]
    return bytes(out)


def strip_pts(data, path, every=3):
    """Takes PTS and DTS out of every `every`-th video PES header but the first (the bytes become
    stuffing)."""
    out = bytearray(data)
    number = 0
    for at, begins in ts_packets(data):
        if not begins:
            continue
        number += 1
        if number == 1 or number % every:
            continue
        start = at + 4
        if data[at + 3] & 0x20:
            start += 1 + data[start]
        assert data[start:start + 3] == b"\0\0\1"
        out[start + 7] &= 0x3F
        length = data[start + 8]
        out[start + 9:start + 9 + length] = b"\xff" * length
    return bytes(out)


def no_avi_index(data, path):
    """Takes the idx1 chunk's name away, so that there is no index."""
    at = data.rfind(b"idx1")
    return data[:at] + b"JUNK" + data[at + 4:]
