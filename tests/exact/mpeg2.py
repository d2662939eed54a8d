"""MPEG-2 field pictures written from nothing: I, P and B fields in open GOPs, flat 8x8 blocks."""
from bits import Bits

WIDTH, HEIGHT = 128, 64
DC_LUMA = ("100", "00", "01", "101", "110", "1110", "11110", "111110", "1111110")
DC_CHROMA = ("00", "01", "10", "110", "1110", "11110", "111110", "1111110", "11111110")
INCREMENT = ("", "1", "011", "010", "0011", "0010", "00011", "00010", "0000111")
INTRA = {"I": "1", "P": "00011", "B": "00011"}
KIND = {"I": 1, "P": 2, "B": 3}


def code(bits, text):
    bits.u(int(text, 2), len(text))


def unit(start, bits):
    bits.align()
    return bytes((0, 0, 1, start)) + bytes(bits.out)


def sequence():
    b = Bits()
    b.u(WIDTH, 12), b.u(HEIGHT, 12), b.u(0x13, 8)  # square pixels, 25 Hz
    b.u(5000, 18), b.u(1, 1), b.u(112, 10), b.u(0, 3)
    e = Bits()
    e.u(1, 4), e.u(0x48, 8), e.u(0b0010000, 7)  # main profile, interlaced, 4:2:0
    e.u(1, 13), e.u(0, 16)
    return unit(0xB3, b) + unit(0xB5, e)


def gop(number, closed):
    b = Bits()
    b.u(0, 1), b.u(number // 90000, 5), b.u(number // 1500 % 60, 6), b.u(1, 1)
    b.u(number // 25 % 60, 6), b.u(number % 25, 6), b.u(closed, 1), b.u(0, 1)
    return unit(0xB8, b)


def level(number, parity, x, y):
    """The brightness of the 8x8 block at (x, y) blocks of a field: row 0 shows the number."""
    if y == 0:
        return 235 if number >> (15 - x) & 1 else 16
    return 40 + (x * 11 + y * 23 + number * 7 + parity * 40) % 150


def block(bits, table, value, predicted):
    diff = value - predicted
    size = abs(diff).bit_length()
    code(bits, table[size])
    if size:
        bits.u(diff if diff > 0 else diff + (1 << size) - 1, size)
    code(bits, "10")


def slice_row(kind, number, parity, row, select):
    b = Bits()
    b.u(8, 5), b.u(0, 1)
    dc = [128, 128, 128]
    columns, skipped, after_intra = WIDTH // 16, 0, False
    for column in range(columns):
        intra = kind == "I" or row == 0 or column == number % columns
        may_skip = (column not in (0, columns - 1) and select == parity  # a skip means parity
                    and not (kind == "B" and after_intra))
        after_intra = intra
        if not intra and may_skip:
            skipped += 1
            dc = [128, 128, 128]
            continue
        code(b, INCREMENT[skipped + 1])
        skipped = 0
        if not intra:
            code(b, {"P": "001", "B": "10"}[kind])
            code(b, "01")  # one vector for the whole field macroblock
            for _ in range({"P": 1, "B": 2}[kind]):
                b.u(select, 1)
                code(b, "11")
            dc = [128, 128, 128]
            continue
        code(b, INTRA[kind])
        for part in range(4):
            value = level(number, parity, 2 * column + part % 2, 2 * row + part // 2)
            block(b, DC_LUMA, value, dc[0])
            dc[0] = value
        for plane, value in ((1, 100 + number % 50), (2, 150 - number % 50)):
            block(b, DC_CHROMA, value, dc[plane])
            dc[plane] = value
    return unit(row + 1, b)


def field(kind, number, reference, parity, select=None):
    select = parity if select is None else select
    b = Bits()
    b.u(reference, 10), b.u(KIND[kind], 3), b.u(0xFFFF, 16)
    if kind != "I":
        b.u(7, 4)
    if kind == "B":
        b.u(7, 4)
    b.u(0, 1)
    e = Bits()
    e.u(8, 4)
    e.u(0xFF if kind == "I" else 0x11, 8), e.u(0x11 if kind == "B" else 0xFF, 8)
    e.u(0, 2), e.u(1 + parity, 2), e.u(0, 10)
    rows = [slice_row(kind, number, parity, row, select) for row in range(HEIGHT // 32)]
    return unit(0x00, b) + unit(0xB5, e) + b"".join(rows)


def write_mpeg2_fields(data, path, frames=60, length=12, lie=False):
    """A raw stream: I0 P3 B1 B2 P6 B4 B5 ..., the B pictures before each later I refer to the GOP
    before. Every second I frame's bottom field is a P field, which refers to its own I field; if
    lie, to the frame before instead."""
    out, done = bytearray(), 0
    anchors = list(range(0, frames, 3))
    for at in anchors:
        start = at % length == 0
        first = max(0, at - 2) if start else done
        if start:
            done = first
            out += sequence() + gop(first, first == 0)
        kind = "I" if start else "P"
        out += field(kind, at, at - done, 0)
        mixed = start and at // length % 2
        out += field("P" if mixed else kind, at, at - done, 1, int(lie) if mixed else None)
        for number in range(max(0, at - 2), at):
            for parity in (0, 1):
                out += field("B", number, number - done, parity)
    return bytes(out) + b"\0\0\1\xb7"
