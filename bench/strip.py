"""A number as black and white blocks in a picture's luma: survives encoding, scaling and JPEG."""
import numpy as np

BLOCK = 16  # pixels
TOPS = 0, 352, 704  # of the rows that it is drawn into: boxes may cover one
BITS = 48
CHECK = 8  # bits of checksum behind them


def _bits(value, count):
    return [(value >> i) & 1 for i in range(count)]


def _check(value):
    return sum((value >> shift) & 0xFF for shift in range(0, BITS, 8)) * 37 & 0xFF


def draw(luma, value):
    """Writes value into luma, an array of height x width."""
    bits = _bits(value, BITS) + _bits(_check(value), CHECK)
    row = np.repeat(np.where(bits, 235, 16).astype(np.uint8), BLOCK)
    for top in TOPS:
        luma[top:top + BLOCK, :row.size] = row


def _read_row(luma):
    inner = luma[BLOCK // 4:BLOCK * 3 // 4, :(BITS + CHECK) * BLOCK]
    blocks = inner.reshape(inner.shape[0], BITS + CHECK, BLOCK)[:, :, BLOCK // 4:BLOCK * 3 // 4]
    bits = blocks.mean(axis=(0, 2)) > 128
    value, check = (sum(1 << i for i, bit in enumerate(part) if bit)
                    for part in (bits[:BITS], bits[BITS:]))
    return value if value and check == _check(value) else None


def read(luma):
    """The number, or None where there is none or it is damaged."""
    values = (_read_row(luma[top:]) for top in TOPS)
    return next((value for value in values if value is not None), None)
