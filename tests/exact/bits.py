"""Bitstreams: H.264 field pictures written from nothing, and cutting, joining and packing others."""
import struct

import atoms


class Bits:
    """A writer of an RBSP."""

    def __init__(self):
        self.out = bytearray()
        self.acc = 0
        self.count = 0

    def u(self, value, width):
        for shift in range(width - 1, -1, -1):
            self.acc = self.acc << 1 | (value >> shift & 1)
            self.count += 1
            if self.count == 8:
                self.out.append(self.acc)
                self.acc = self.count = 0

    def ue(self, value):
        width = (value + 1).bit_length()
        self.u(0, width - 1)
        self.u(value + 1, width)

    def align(self):
        while self.count:
            self.u(0, 1)

    def raw(self, data):
        self.out += data

    def trailing(self):
        self.u(1, 1)
        self.align()
        return bytes(self.out)


def nal(kind, ref, rbsp):
    """A NAL unit with emulation prevention."""
    out, zeros = bytearray([ref << 5 | kind]), 0
    for byte in rbsp:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


WIDTH, HEIGHT = 128, 64


def sps():
    b = Bits()
    b.u(77, 8), b.u(0, 8), b.u(30, 8)
    for value in (0, 4, 0, 4, 2):  # id, frame_num 8 bits, POC type 0, POC 8 bits, 2 references
        b.ue(value)
    b.u(0, 1)
    b.ue(WIDTH // 16 - 1), b.ue(HEIGHT // 32 - 1)
    b.u(0b00101, 5)  # fields allowed, no MBAFF, direct 8x8, no cropping, VUI
    b.u(0, 8)        # nothing in the VUI up to pic_struct_present
    b.u(0b11, 2)     # bitstream_restriction, vectors over the edge
    for value in (0, 0, 8, 8, 1, 2):  # ..., one frame of reordering, two frames buffered
        b.ue(value)
    return nal(7, 3, b.trailing())


def pps():
    b = Bits()
    b.ue(0), b.ue(0), b.u(0, 2)
    for value in (0, 0, 0):
        b.ue(value)
    b.u(0, 3)
    for value in (0, 0, 0):
        b.ue(value)
    b.u(0b100, 3)
    return nal(8, 3, b.trailing())


def luma(number, x, y):
    """The picture: the number as 16 blocks in the top 16 lines, below it a moving pattern that
    differs between the two fields."""
    if y < 16:
        return 235 if number >> (15 - x // (WIDTH // 16)) & 1 else 16
    return 40 + (x * 2 + y * 3 + number * 10 + (y & 1) * 40) % 150


def macroblock(number, parity, column, row):
    """The 384 samples of one macroblock; parity None for a frame picture, else 0 or 1."""
    out = bytearray()
    for line in range(16):
        y = row * 16 + line
        y = y if parity is None else 2 * y + parity
        out += bytes(luma(number, column * 16 + x, y) for x in range(16))
    out += bytes([100 + number % 50]) * 64 + bytes([150 - number % 50]) * 64
    return out


def picture(number, parity, *, intra, idr, ref, frame_num, poc, idr_id, back=1):
    """One coded picture: a frame (parity None) or a field. Not intra: the number's macroblocks and
    one that moves are coded, the others are copied from the reference `back` pictures before."""
    b = Bits()
    b.ue(0), b.ue(7 if intra else 5), b.ue(0), b.u(frame_num & 255, 8)
    b.u(parity is not None, 1)
    if parity is not None:
        b.u(parity, 1)
    if idr:
        b.ue(idr_id)
    b.u(poc & 255, 8)
    if not intra:
        b.u(0, 1)  # as many references as the PPS says: one
        b.u(back > 1, 1)
        if back > 1:
            b.ue(0), b.ue(back - 1), b.ue(3)
    if ref:
        b.u(0, 2 if idr else 1)
    b.ue(0), b.ue(1)  # QP as is, no deblocking
    columns, rows = WIDTH // 16, HEIGHT // (16 if parity is None else 32)
    skipped = 0
    for address in range(columns * rows):
        row, column = divmod(address, columns)
        if not intra and row and (row, column) != (rows - 1, number % columns):
            skipped += 1
            continue
        if not intra:
            b.ue(skipped)
            skipped = 0
        b.ue(25 if intra else 30)
        b.align()
        b.raw(macroblock(number, parity, column, row))
    if skipped:
        b.ue(skipped)
    return nal(5 if idr else 1, 2 if ref else 0, b.trailing())


def field_stream(frames, gop, adaptive, lone):
    """Frames in decode order: (display number, is key, list of NAL units). Every second frame is
    no reference and shown before the one coded before it. adaptive: every third frame is a frame
    picture (PAFF); lone: some non-reference frames have their second field missing."""
    stream = []
    for start in range(0, frames, gop):
        length = min(gop, frames - start)
        order = [0]
        for d in range(2, length, 2):
            order += [d, d - 1]
        if length % 2 == 0 and length > 1:
            order.append(length - 1)
        refs = 0
        for d in order:
            ref = d % 2 == 0 or d == length - 1
            common = dict(ref=ref, frame_num=refs, idr_id=start // gop % 2)
            number = start + d
            if adaptive and d % 3 == 2:
                units = [picture(number, None, intra=d % 5 == 0, idr=d == 0, poc=2 * d, **common)]
            else:
                units = [picture(number, 0, intra=d % 10 == 0, idr=d == 0, poc=2 * d, **common)]
                if not (lone and d % 6 == 1 and not ref):
                    units.append(picture(number, 1, intra=d % 10 == 5, idr=False, poc=2 * d + 1,
                                         **common))
            refs += ref
            stream.append((number, d == 0, units))
    return stream


def write_fields(data, path, frames=60, gop=20, adaptive=False, lone=False, form="annexb",
                 early=0):
    """The field stream as Annex B, or as MP4 with a sample a field or a sample a frame; early: the
    times are so many frames too early, down to below zero."""
    stream = field_stream(frames, gop, adaptive, lone)
    if form == "annexb":
        out = bytearray()
        for _, key, units in stream:
            for unit in ([sps(), pps()] if key else []) + units:
                out += b"\0\0\0\1" + unit
        return bytes(out)
    samples = []
    for at, (number, key, units) in enumerate(stream):
        sized = [struct.pack(">I", len(u)) + u for u in units]
        if form == "pairs":
            samples.append((b"".join(sized), 1024 * at, 1024 * (number + 1 - early), key))
        else:
            for field, unit in enumerate(sized):
                samples.append((unit, 1024 * at + 512 * field,
                                1024 * (number + 1) + 512 * field, key and field == 0))
    s, p = sps(), pps()
    avcc = bytes([1]) + s[1:4] + b"\xff\xe1" + struct.pack(">H", len(s)) + s
    avcc += b"\1" + struct.pack(">H", len(p)) + p
    return atoms.write_mp4(samples, avcc, WIDTH, HEIGHT, 25600, edit=not early)


def start_codes(data):
    """Offsets of the NAL units (at their start code, zero_byte included) of an Annex B stream."""
    at, found = data.find(b"\0\0\1"), []
    while at >= 0:
        found.append(at - 1 if at and data[at - 1] == 0 else at)
        at = data.find(b"\0\0\1", at + 3)
    return found


def hevc_from_cra(data, path, skip=2):
    """Cuts an HEVC stream so that it begins with its CRA number `skip` (parameter sets kept)."""
    offsets = start_codes(data) + [len(data)]
    sets, cra = [], None
    seen = 0
    for start, end in zip(offsets, offsets[1:]):
        body = data.index(b"\1", start) + 1
        kind = data[body] >> 1 & 63
        if kind in (32, 33, 34) and len(sets) < 3:
            sets.append(data[start:end])
        if kind == 21:
            seen += 1
            if seen == skip:
                cra = start
                break
    if cra is None:
        raise RuntimeError("no such CRA")
    return b"".join(sets) + data[cra:]


def h264_from(data, path, packet):
    """Cuts an H.264 Annex B stream so that it begins at its picture number `packet` (in decode
    order), parameter sets kept: a start that is no keyframe."""
    offsets = start_codes(data) + [len(data)]
    sets, pictures = [], 0
    for start, end in zip(offsets, offsets[1:]):
        body = data.index(b"\1", start) + 1
        kind = data[body] & 31
        if kind in (7, 8) and len(sets) < 2:
            sets.append(data[start:end])
        if kind in (1, 5) and data[body + 1] & 128:
            if pictures == packet:
                return b"".join(sets) + data[start:]
            pictures += 1
    raise RuntimeError("no such picture")


def append(parts):
    return b"".join(parts)


def join_ivf(parts):
    """Joins IVF files, times going on."""
    out, base = bytearray(parts[0][:32]), 0
    for part in parts:
        at, last = 32, 0
        while at + 12 <= len(part):
            size, pts = struct.unpack_from("<IQ", part, at)
            out += struct.pack("<IQ", size, base + pts) + part[at + 12:at + 12 + size]
            at, last = at + 12 + size, pts
        base += last + 1
    return bytes(out)
