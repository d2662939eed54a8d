"""Writes docs/exactness.md: how exactness is tested, and the table of cases with their results."""
import reference

HEAD = """# Exactness

A frame reached by any path (in order, backwards, at random, by many threads at once) is the
picture that a linear decode from the first frame gives. `tests/exact/run.py` tests this by hash on
the clips below, and `tests/exact/run.py --write-docs` writes this page.

## The reference

Each clip is decoded once, from its first packet to its last, by

    {command}

One thread: see "Damaged streams". `-vsync passthrough` keeps every frame that the decoder gives,
`-noautorotate` and `-autoscale 0` leave the pictures as they were decoded, `V:0` is the first video
stream that is no attached picture. Frame `n` is line `n` of the output, from 0.

Most clips have their frame number burnt in as 16 black or white blocks, so that a wrong frame, or a
wrong reference, can be called by its number; a picture is compared by its md5.

## What is asked

| check | what is asked |
|---|---|
| order | every frame, from the first to the last |
| reverse | frames spread over the clip, from the last to the first; on some clips every frame |
| shuffle | frames spread over the clip, the last one among them, shuffled with a fixed seed |
| twice | the same frames, each by two requests under way at once |
| threads | the same frames, shuffled, by 16 threads at once |
| backwards | the last frame, one beyond the end, then backwards one by one |
| times | every frame's printed time names that frame again, and is the reference's time |
| beyond | asking beyond the end, by number and by time, is refused |
| command | `saccade frame --hash` for three frames, by number and by the time it printed |
| verify | `saccade index --verify` gives the verdict that the clip deserves |
| verified | {verified} frames, shuffled, with the index that the verification has saved |

Column "frames" below is what the linear decode gives, and how many of them order and times ask
for; "reverse" and "jumps" (shuffle, twice, threads, backwards) say how many those ask for. The frame
cache is smaller than a frame, so that every request decodes (`--cache 0` runs the same with the
cache as it is by default). The orders of a clip run in one process one after another.

## Unverified and verified

A fresh index knows what the packets say. The reader enters the stream at an entry point that the
stream itself declares, and watches the decoder: as soon as it complains, the frame is reached by a
linear decode from the first packet instead. Every clip below but those named "lie" is exact in this
state.

An entry point can lie without any complaint: an H.264 picture behind a recovery point refers to one
before it, which the decoder silently makes up; or the P field of an MPEG-2 I picture refers to the
frame before. Headers do not show this, only decoding does. `saccade index --verify` (the server does
it in the background after an upload) decodes everything linearly once and again from each entry
point, keeps a hash a frame, and says "exact" or "differs". From then on every decoded picture is
compared with its hash; one that differs is reached from an entry point further back, then from the
first packet. So a verified index makes every access exact, on the clips named "lie" too; before it,
frames behind a lying entry point may be wrong. These clips are therefore asked with the verified
index in all orders, and "verified" checks that the unverified one really goes astray on them.

## What we define where FFmpeg does not

- **No, missing or repeated times.** A frame's number is its place in the order in which the
  decoder gives frames. Where times repeat, a time names the last frame of those that share it, so
  only numbers are checked there.
- **Jumps of the clock.** Frames keep the decoder's order; a jump never moves a frame of the part
  after it before one of the part ahead of it.
- **Cut beginnings.** Pictures that the decoder does not give (RASL pictures after a first CRA,
  pictures before a recovery point is complete) are no frames.
- **Cut ends.** What the decoder makes of the last, incomplete packet is a frame if it gives one.
- **Fields.** Two fields of one picture are one frame; a field that stays alone is one, too. HEVC
  codes fields as pictures of their own: each is a frame.
- **Damaged streams.** What a linear decode by one thread gives counts, concealment included.
  FFmpeg's concealment depends on the number and kind of threads (H.264: slice threads give other
  pictures than one thread, frame threads differ from run to run) and on everything decoded before.
  So damage sends the reader to a linear decode by one thread, which makes such stretches slow, and a
  verification may truly say "differs": entering at a keyframe gives another picture there. Intact
  clips give the same pictures with any threads.

## Cases

{summary}

| case | what is special | what we define | frames | reverse | jumps | result |
|---|---|---|---|---|---|---|
"""


def outcome(result):
    """One cell: passed, or which checks failed or were skipped."""
    states = {}
    for check, (state, _) in result.rows.items():
        states.setdefault(state, []).append(check)
    parts = []
    if "FAIL" in states:
        parts.append("**fails**: " + ", ".join(states["FAIL"]))
    if "PASS" in states:
        parts.append(f"{len(states['PASS'])} pass")
    if "SKIP" in states:
        skipped = states["SKIP"]
        why = result.rows[skipped[0]][1]
        parts.append(f"{len(skipped)} skipped ({why})")
    return "; ".join(parts)


def write(path, results, sample, verified):
    count = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for result in results:
        for state, _ in result.rows.values():
            count[state] += 1
    summary = (f"{len(results)} clips: {count['PASS']} passed, {count['FAIL']} failed, "
               f"{count['SKIP']} skipped.")
    command = " ".join(reference.command("FILE"))
    text = HEAD.format(command=command, verified=verified, summary=summary)
    for result in results:
        case = result.case
        jumps = min(case.sample or sample, result.frames)
        reverse = result.frames if case.full else jumps
        text += (f"| {case.name} | {case.special} | {case.defines} | {result.frames} | {reverse} | "
                 f"{jumps} | {outcome(result)} |\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
