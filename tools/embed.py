#!/usr/bin/env python3
"""Writes the files of a folder as a C table of sc_asset (src/http/assets.h).

usage: embed.py FOLDER OUT.c DEPFILE
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


def array(out, name, data):
    out.write(f"static const unsigned char {name}[] = {{\n")
    for i in range(0, len(data), 24):
        out.write("    " + ",".join(str(b) for b in data[i:i + 24]) + ",\n")
    out.write("    0};\n")


def main():
    folder, target, depfile = sys.argv[1:4]
    files, folders = find(folder)
    rows = []
    with open(target, "w", encoding="ascii") as out:
        out.write('#include "http/assets.h"\n\n')
        for i, path in enumerate(files):
            with open(path, "rb") as f:
                data = f.read()
            packed = gzip.compress(data, 9, mtime=0)
            if len(packed) > 0.9 * len(data):
                packed = b""
            array(out, f"data{i}", data)
            array(out, f"gzip{i}", packed)
            digest = hashlib.sha256(data).hexdigest()[:24]
            url = "/" + os.path.relpath(path, folder).replace(os.sep, "/")
            mime = MIMES[os.path.splitext(path)[1]]
            rows.append(f'    {{"{url}", "{mime}", "\\"{digest}\\"", "\\"{digest}-gz\\"", '
                        f"data{i}, gzip{i}, {len(data)}, {len(packed)}}},\n")
        out.write("\nconst sc_asset sc_assets[] = {\n" + "".join(rows) + "    {0},\n};\n")
        out.write(f"const size_t sc_asset_count = {len(rows)};\n")
    with open(depfile, "w", encoding="utf-8") as out:
        out.write(target + ": " + " ".join(p.replace(" ", "\\ ") for p in files + folders) + "\n")


main()
