"""MP4 boxes: reading, patching (edit lists, display matrix, order), and writing a small file."""
import struct

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"}


def boxes(data, start=0, end=None):
    """Yields (type, start, header size, end) of the boxes in data[start:end]."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        if size < head:
            size = end - start
        yield kind, start, head, start + size
        start += size


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind, *parts, version=0, flags=0):
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def children(data, start, head, end):
    return {kind: (s, h, e) for kind, s, h, e in boxes(data, start + head, end)}


def video_trak(data, start, head, end):
    """True when the trak at start has a video handler."""
    mdia = children(data, start, head, end)[b"mdia"]
    hdlr = children(data, *mdia)[b"hdlr"]
    return data[hdlr[0] + 16:hdlr[0] + 20] == b"vide"


def rebuild_moov(data, change):
    """Replaces moov by change(list of (kind, bytes) of its children). moov must come last, so that
    chunk offsets stay right."""
    top = list(boxes(data))
    kind, start, head, end = [b for b in top if b[0] == b"moov"][0]
    assert end == len(data), "moov must be the last box"
    inner = [(k, data[s:e]) for k, s, h, e in boxes(data, start + head, end)]
    return data[:start] + box(b"moov", *(body for _, body in change(inner)))


def timescales(data):
    """(movie, video track) units a second."""
    _, start, head, end = [b for b in boxes(data) if b[0] == b"moov"][0]
    moov = children(data, start, head, end)
    movie = struct.unpack_from(">I", data, moov[b"mvhd"][0] + 20)[0]
    for kind, s, h, e in boxes(data, start + head, end):
        if kind == b"trak" and video_trak(data, s, h, e):
            mdia = children(data, s, h, e)[b"mdia"]
            mdhd = children(data, *mdia)[b"mdhd"][0]
            return movie, struct.unpack_from(">I", data, mdhd + 20)[0]
    raise ValueError("no video track")


def set_edits(data, path, edits):
    """Gives the video track the edit list edits: (duration s, media start s or -1 for empty)."""
    movie, track = timescales(data)
    rows = [struct.pack(">IiHH", round(length * movie), -1 if at < 0 else round(at * track), 1, 0)
            for length, at in edits]
    edts = box(b"edts", full(b"elst", struct.pack(">I", len(rows)), *rows))

    def change(inner):
        out = []
        for kind, body in inner:
            if kind == b"trak" and video_trak(body, 0, 8, len(body)):
                parts = [body[s:e] for k, s, h, e in boxes(body, 8) if k != b"edts"]
                body = box(b"trak", parts[0], edts, *parts[1:])
            out.append((kind, body))
        return out
    return rebuild_moov(data, change)


MATRICES = {  # a, b, c, d of the display matrix
    "90": (0, 1, -1, 0), "180": (-1, 0, 0, -1), "270": (0, -1, 1, 0),
    "hflip": (-1, 0, 0, 1), "vflip": (1, 0, 0, -1), "transpose": (0, 1, 1, 0),
}


def set_matrix(data, path, to):
    """Writes a display matrix into the video track's header, in place."""
    a, b, c, d = MATRICES[to]
    out = bytearray(data)
    for kind, start, head, end in boxes(data):
        if kind != b"moov":
            continue
        for k, s, h, e in boxes(data, start + head, end):
            if k == b"trak" and video_trak(data, s, h, e):
                tkhd = children(data, s, h, e)[b"tkhd"][0]
                at = tkhd + 8 + (52 if data[tkhd + 8] == 1 else 40)
                struct.pack_into(">9i", out, at, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0,
                                 1 << 30)
    return bytes(out)


def cover_first(data, path):
    """Moves udta (with the cover picture) before the tracks, so that its stream comes first."""
    return rebuild_moov(data, lambda inner: sorted(inner, key=lambda kb: (
        kb[0] != b"mvhd", kb[0] != b"udta")))


def write_mp4(samples, avcc, width, height, timescale, edit=True):
    """A file of one H.264 track. samples: (bytes, dts, pts, is key) in decode order."""
    matrix = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    ftyp = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomavc1")
    mdat = box(b"mdat", *(s[0] for s in samples))
    offsets, at = [], len(ftyp) + 8
    for sample in samples:
        offsets.append(at)
        at += len(sample[0])
    steps = [b[1] - a[1] for a, b in zip(samples, samples[1:])]
    steps.append(steps[-1])
    total = sum(steps)
    first = min(s[2] for s in samples)
    entry = box(b"avc1", bytes(6), struct.pack(">H", 1), bytes(16),
                struct.pack(">HHIIIH", width, height, 72 << 16, 72 << 16, 0, 1), bytes(32),
                struct.pack(">Hh", 24, -1), box(b"avcC", avcc))

    def table(kind, rows, fmt):
        return full(kind, struct.pack(">I", len(rows)), *(struct.pack(fmt, *r) for r in rows))
    stbl = box(
        b"stbl", full(b"stsd", struct.pack(">I", 1), entry),
        table(b"stts", [(1, step) for step in steps], ">II"),
        table(b"ctts", [(1, s[2] - s[1]) for s in samples], ">Ii"),
        table(b"stss", [(n + 1,) for n, s in enumerate(samples) if s[3]], ">I"),
        table(b"stsc", [(1, 1, 1)], ">III"),
        full(b"stsz", struct.pack(">II", 0, len(samples)),
             *(struct.pack(">I", len(s[0])) for s in samples)),
        table(b"stco", [(o,) for o in offsets], ">I"))
    dinf = box(b"dinf", full(b"dref", struct.pack(">I", 1), full(b"url ", flags=1)))
    minf = box(b"minf", full(b"vmhd", bytes(8), flags=1), dinf, stbl)
    mdia = box(b"mdia", full(b"mdhd", struct.pack(">IIIIHH", 0, 0, timescale, total, 0x55C4, 0)),
               full(b"hdlr", bytes(4), b"vide", bytes(12), b"video\0"), minf)
    tkhd = full(b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, total), bytes(16), matrix,
                struct.pack(">II", width << 16, height << 16), flags=3)
    edts = box(b"edts", full(b"elst", struct.pack(">IIiHH", 1, total, max(first, 0), 1, 0)))
    mvhd = full(b"mvhd", struct.pack(">IIIIIH", 0, 0, timescale, total, 1 << 16, 1 << 8),
                bytes(10), matrix, bytes(24), struct.pack(">I", 2))
    return ftyp + mdat + box(b"moov", mvhd, box(b"trak", tkhd, edts if edit else b"", mdia))
