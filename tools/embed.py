#!/usr/bin/env python3
"""Writes the files of a folder as a C table of sc_asset (src/http/assets.h), and beside them the
libraries for charts (uplot.js, uplot.css) and HLS (hls.js), each with its licence (.txt).

usage: embed.py FOLDER PACKAGES OUT.c DEPFILE

Where PACKAGES (node_modules) lacks one, its module exports null and the page does without.
"""

import gzip
import hashlib
import os
import sys

MIMES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


def find(folder):
    """Files and folders below folder, hidden ones and packages left out."""
    files, folders = [], []
    for base, names, leaves in os.walk(folder):
        names[:] = sorted(n for n in names if not n.startswith(".") and n != "node_modules")
        folders.append(base)
        files += [os.path.join(base, leaf) for leaf in sorted(leaves)
                  if os.path.splitext(leaf)[1] in MIMES and not leaf.startswith(".")
                  and leaf not in ("package.json", "package-lock.json")]
    return files, folders


def read(path):
    with open(path, "rb") as f:
        return f.read()


NOTHING = b"export default null;\n"
UNUSED = b"not part of this build\n"

# package: {url: (its file, what is appended, what stands there without the package)}. uPlot's small build
# is a script that sets a variable; a line more makes it a module. Nothing reads the map that hls.js names.
LIBRARIES = {
    "uplot": {
        "/uplot.js": ("dist/uPlot.iife.min.js", b"\nexport default uPlot;\n", NOTHING),
        "/uplot.css": ("dist/uPlot.min.css", b"", b""),
        "/uplot.txt": ("LICENSE", b"", UNUSED),
    },
    "hls.js": {
        "/hls.js": ("dist/hls.light.min.mjs", b"", NOTHING),
        "/hls.txt": ("LICENSE", b"", UNUSED),
    },
}


def library(packages, name, files):
    """The library's files as {url: data}, and what they depend on."""
    folder = os.path.join(packages, name)
    paths = {url: os.path.join(folder, file) for url, (file, _, _) in files.items()}
    if all(os.path.isfile(path) for path in paths.values()):
        return {url: without_map(read(paths[url])) + files[url][1] for url in files}, list(paths.values())
    # Looked at again once the nearest folder that exists has changed.
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return {url: files[url][2] for url in files}, [folder]


def without_map(data):
    head, mark, _ = data.rpartition(b"\n//# sourceMappingURL=")
    return head + b"\n" if mark else data


def array(out, name, data):
    out.write(f"static const unsigned char {name}[] = {{\n")
    for i in range(0, len(data), 24):
        out.write("    " + ",".join(str(b) for b in data[i:i + 24]) + ",\n")
    out.write("    0};\n")


def main():
    folder, packages, target, depfile = sys.argv[1:5]
    files, folders = find(folder)
    assets = {"/" + os.path.relpath(path, folder).replace(os.sep, "/"): read(path) for path in files}
    sources = []
    for name, urls in LIBRARIES.items():
        found, needs = library(packages, name, urls)
        assets.update(found)
        sources += needs
    rows = []
    with open(target, "w", encoding="ascii") as out:
        out.write('#include "http/assets.h"\n\n')
        for i, (url, data) in enumerate(assets.items()):
            packed = gzip.compress(data, 9, mtime=0)
            if len(packed) > 0.9 * len(data):
                packed = b""
            array(out, f"data{i}", data)
            array(out, f"gzip{i}", packed)
            digest = hashlib.sha256(data).hexdigest()[:24]
            mime = MIMES[os.path.splitext(url)[1]]
            rows.append(f'    {{"{url}", "{mime}", "\\"{digest}\\"", "\\"{digest}-gz\\"", '
                        f"data{i}, gzip{i}, {len(data)}, {len(packed)}}},\n")
        out.write("\nconst sc_asset sc_assets[] = {\n" + "".join(rows) + "    {0},\n};\n")
        out.write(f"const size_t sc_asset_count = {len(rows)};\n")
    with open(depfile, "w", encoding="utf-8") as out:
        out.write(target + ": " + " ".join(p.replace(" ", "\\ ") for p in files + folders + sources) + "\n")


main()
