"""Entry points that lie: keyframes behind which a picture refers to what was before them, while the
stream says that decoding may start there."""
import struct

import atoms
import bits

RECOVERY = bits.nal(6, 0, b"\6\1\xc4\x80")  # SEI: a recovery point, complete at once


def write_lying_entries(data, path, frames=60, gop=10, every=2, back=2):
    """I P P P ... in MP4, one IDR only. The other I pictures call themselves recovery points, but
    behind every `every`-th of them the first P picture refers to the picture `back` before it,
    which is one before the I picture."""
    samples = []
    for number in range(frames):
        start, behind = number % gop == 0, number > gop and number % gop == 1
        lies = behind and number // gop % every == 0
        units = [RECOVERY] if start and number else []
        units.append(bits.picture(number, None, intra=start, idr=number == 0, ref=True,
                                  frame_num=number, poc=2 * number, idr_id=0,
                                  back=back if lies else 1))
        sized = b"".join(struct.pack(">I", len(u)) + u for u in units)
        samples.append((sized, 1024 * number, 1024 * (number + 1), start))
    s, p = bits.sps(), bits.pps()
    avcc = bytes([1]) + s[1:4] + b"\xff\xe1" + struct.pack(">H", len(s)) + s
    avcc += b"\1" + struct.pack(">H", len(p)) + p
    return atoms.write_mp4(samples, avcc, bits.WIDTH, bits.HEIGHT, 25600)
