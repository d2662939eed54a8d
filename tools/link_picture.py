#!/usr/bin/env python3
"""Draws docs/images/webrtc_link.svg: what a made-up link carries, what is thought of it, what is sent.

usage: build/tests/rtc/link-figures | tools/link_picture.py > docs/images/webrtc_link.svg
"""
import sys

WIDTH, LEFT, RIGHT = 760, 46, 24
RATES = 26, 206  # top and bottom of a panel
SHOWN = 236, 296
MOST = 3.5e6  # bits a second
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #555 }
.grid { stroke: #8884; stroke-width: 1 }
.capacity { fill: #8883 }
.estimate { fill: none; stroke: #d9822b; stroke-width: 1.5 }
.rate { fill: none; stroke: #2b7bd9; stroke-width: 2 }
.shown { stroke: #3a9a5b }
@media (prefers-color-scheme: dark) { text { fill: #aaa } }
"""


def read(lines):
    names = next(lines).split()
    return [dict(zip(names, map(float, line.split()))) for line in lines]


class Picture:
    def __init__(self, rows):
        self.rows = rows
        self.step = (WIDTH - LEFT - RIGHT) / len(rows)

    def x(self, second):
        return LEFT + second * self.step

    @staticmethod
    def y(value, most, panel):
        top, bottom = panel
        return bottom - min(value / most, 1) * (bottom - top)

    def stairs(self, name):
        path, before = [], None
        for i, row in enumerate(self.rows):
            y = f"{self.y(row[name], MOST, RATES):.1f}"
            if y != before:
                path.append(f"H{self.x(i):.1f}V{y}" if path else f"V{y}")
            before = y
        return "".join(path) + f"H{self.x(len(self.rows)):.1f}"

    def capacity(self):
        return f'<path class="capacity" d="M{LEFT} {RATES[1]}{self.stairs("capacity")}V{RATES[1]}z"/>'

    def line(self, name):
        first = self.y(self.rows[0][name], MOST, RATES)
        return f'<path class="{name}" d="M{LEFT} {first:.1f}{self.stairs(name)}"/>'

    def bars(self):
        path = "".join(f"M{self.x(i + .5):.1f} {SHOWN[1]}V{self.y(row['shown'], 40, SHOWN):.1f}"
                       for i, row in enumerate(self.rows))
        return f'<path class="shown" stroke-width="{self.step - .8:.1f}" d="{path}"/>'

    def grid(self):
        for value, most, panel, text in ((1e6, MOST, RATES, "1"), (2e6, MOST, RATES, "2"),
                                         (3e6, MOST, RATES, "3"), (30, 40, SHOWN, "30")):
            y = self.y(value, most, panel)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        for second in range(0, len(self.rows) + 1, 20):
            yield f'<text x="{self.x(second):.1f}" y="{SHOWN[1] + 16}" text-anchor="middle">{second} s</text>'

    @staticmethod
    def legend():
        yield f'<text x="{LEFT}" y="16">Mbit/s</text>'
        yield f'<text x="{LEFT}" y="{SHOWN[0] - 8}">pictures shown a second</text>'
        x = 330
        for name, text in (("capacity", "the link carries"), ("estimate", "estimate"),
                           ("rate", "rate of the rung")):
            yield f'<path class="{name}" d="M{x} 12h18v2h-18z"/><text x="{x + 24}" y="16">{text}</text>'
            x += 150

    def svg(self):
        height = SHOWN[1] + 24
        yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
               f'width="{WIDTH}" height="{height}"><style>{STYLE}</style>')
        yield from self.grid()
        yield self.capacity()
        yield self.line("rate")
        yield self.line("estimate")
        yield self.bars()
        yield from self.legend()
        yield "</svg>"


if __name__ == "__main__":
    print("\n".join(Picture(read(sys.stdin)).svg()))
