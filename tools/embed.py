#!/usr/bin/env python3
"""Writes the files of a folder as a C table of sc_asset (src/http/assets.h), and the chart library
beside them as uplot.js, uplot.css and uplot.txt (its licence).

usage: embed.py FOLDER PACKAGES OUT.c DEPFILE

Where PACKAGES (node_modules) lacks the library, uplot.js exports null and the page does without.
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


# Its small build is a script that sets a variable; a line more makes it a module.
# url: (file of the package, what is appended, what stands there without the package)
CHART = {
    "/uplot.js": ("dist/uPlot.iife.min.js", b"\nexport default uPlot;\n", b"export default null;\n"),
    "/uplot.css": ("dist/uPlot.min.css", b"", b""),
    "/uplot.txt": ("LICENSE", b"", b"not part of this build\n"),
}


def chart(packages):
    """The library's files as {url: data}, and what they depend on."""
    folder = os.path.join(packages, "uplot")
    paths = {url: os.path.join(folder, name) for url, (name, _, _) in CHART.items()}
    if all(os.path.isfile(path) for path in paths.values()):
        return {url: read(paths[url]) + CHART[url][1] for url in CHART}, list(paths.values())
    # Looked at again once the nearest folder that exists has changed.
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return {url: CHART[url][2] for url in CHART}, [folder]


def array(out, name, data):
    out.write(f"static const unsigned char {name}[] = {{\n")
    for i in range(0, len(data), 24):
        out.write("    " + ",".join(str(b) for b in data[i:i + 24]) + ",\n")
    out.write("    0};\n")


def main():
    folder, packages, target, depfile = sys.argv[1:5]
    files, folders = find(folder)
    assets = {"/" + os.path.relpath(path, folder).replace(os.sep, "/"): read(path) for path in files}
    library, sources = chart(packages)
    assets.update(library)
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
