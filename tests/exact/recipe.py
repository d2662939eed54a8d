"""How a clip is made: a list of steps, each of which turns files into one new file.

A step is a plain tuple, so that a recipe has a hash and a clip is made again only when its recipe
or the code behind it changed. Steps run ffmpeg, or a function of atoms.py, bits.py, mpeg2.py,
lies.py or damage.py on whole files.
"""
import hashlib
import os
import shlex
import subprocess
import sys

import atoms
import bits
import damage
import lies
import mpeg2

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
MODULES = (atoms, bits, damage, lies, mpeg2)


def source(size="320x240", rate="25", pre="", post="", noise=8):
    """A lavfi graph: moving test picture with its frame number as 16 black or white blocks in the
    top 16 lines, most significant first, and as text."""
    width = int(size.split("x")[0])
    cell = width // 16
    parts = [f"testsrc2=s={size}:r={rate}"]
    if pre:
        parts.append(pre)
    if noise:
        parts.append(f"noise=alls={noise}:allf=t:all_seed=7")
    if os.path.exists(FONT):
        parts.append(f"drawtext=fontfile={FONT}:text=%{{n}}:fontsize=32:x=20:y=h/2:box=1")
    parts.append(f"drawbox=0:0:{width}:20:black:fill")
    for bit in range(16):
        parts.append(f"drawbox=x={bit * cell}:y=0:w={cell}:h=16:color=white:t=fill:"
                     f"enable='mod(floor(n/{1 << (15 - bit)}),2)'")
    if post:
        parts.append(post)
    return ",".join(parts)


def encode(args, ext, frames=100, **picture):
    """Makes the numbered picture and encodes it; "-pass 2 -passlogfile LOG" in args: twice."""
    return ("encode", args, ext, frames, tuple(sorted(picture.items())))


def ff(args, ext, pipe=False):
    """Runs ffmpeg on the file so far, called IN in args; pipe: to an output that cannot seek."""
    return ("ff", args, ext, pipe)


def py(function, ext, **kwargs):
    """Runs function(bytes, path, **kwargs) -> bytes of one of the helper modules."""
    return ("py", function, ext, tuple(sorted(kwargs.items())))


def join(function, ext, *branches):
    """Makes a file by each branch (a list of steps) and joins their bytes by a helper function."""
    return ("join", function, ext, tuple(tuple(b) for b in branches))


def run(command, **kwargs):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          timeout=120, **kwargs)
    if done.returncode:
        tail = done.stderr.decode(errors="replace")[-800:]
        raise RuntimeError(f"{shlex.join(command)[:600]}\n{tail}")
    return done


def helper(name):
    for module in MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    raise KeyError(name)


def step_encode(step, inp, out):
    _, args, _, frames, picture = step
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source(**dict(picture))]
    command += ["-frames:v", str(frames)] + shlex.split(args)
    if "-pass" in command:
        first = [out + ".log" if word == "LOG" else word for word in command]
        first[first.index("-pass") + 1] = "1"
        run(first + ["-f", "null", "-"])
    run([out + ".log" if word == "LOG" else word for word in command] + [out])


def step_ff(step, inp, out):
    _, args, _, pipe = step
    command = ["ffmpeg", "-v", "error", "-y"]
    command += [inp if word == "IN" else word for word in shlex.split(args)]
    if pipe:
        with open(out, "wb") as sink:
            run(command + ["pipe:1"], stdout=sink)
    else:
        run(command + [out])


def step_py(step, inp, out):
    _, function, _, kwargs = step
    data = b""
    if inp:
        with open(inp, "rb") as file:
            data = file.read()
    with open(out, "wb") as file:
        file.write(helper(function)(data, inp, **dict(kwargs)))


def step_join(step, inp, out):
    _, function, _, branches = step
    parts = []
    for number, branch in enumerate(branches):
        path = run_steps(branch, f"{out}.{number}")
        with open(path, "rb") as file:
            parts.append(file.read())
        os.unlink(path)
    with open(out, "wb") as file:
        file.write(helper(function)(parts))


RUNNERS = {"encode": step_encode, "ff": step_ff, "py": step_py, "join": step_join}


def extension(steps):
    return steps[-1][2]


def run_steps(steps, stem):
    """Runs all steps, leaves the last one's file as stem.EXT and returns its path."""
    path = None
    for number, step in enumerate(steps):
        out = f"{stem}.step{number}.{step[2]}"
        RUNNERS[step[0]](step, path, out)
        if path:
            os.unlink(path)
        path = out
    final = f"{stem}.{extension(steps)}"
    os.replace(path, final)
    return final


def functions(steps):
    """The helper functions that the steps name."""
    for step in steps:
        if step[0] in ("py", "join"):
            yield step[1]
        for branch in step[3] if step[0] == "join" else ():
            yield from functions(branch)


def uses(module):
    """The helper modules that one is made of: itself, and those it imports."""
    found = {module}
    for value in vars(module).values():
        other = sys.modules.get(getattr(value, "__module__", None) or "", value)
        if other in MODULES and other is not module:
            found |= uses(other)
    return found


def code_hash(steps):
    digest = hashlib.sha256(repr(source()).encode())
    modules = set()
    for name in functions(steps):
        modules |= uses(next(m for m in MODULES if hasattr(m, name)))
    for module in sorted(modules, key=lambda m: m.__name__):
        with open(module.__file__, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def recipe_hash(steps):
    return hashlib.sha256((repr(steps) + code_hash(steps)).encode()).hexdigest()
