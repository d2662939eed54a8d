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

| order | what is asked |
|---|---|
| order | every frame, from the first to the last |
| reverse | {sample} frames spread over the clip, from the last to the first |
| shuffle | the same frames, shuffled with a fixed seed |
| twice | the same frames, each by two requests under way at once |
| threads | the same frames, shuffled, by 16 threads at once |
| backwards | the last frame, one beyond the end, then {sample} frames backwards one by one |
| times | every frame's printed time names that frame again, and is the reference's time |
| beyond | asking beyond the end, by number and by time, is refused |
| command | `saccade frame --hash` for three frames, by number and by the time it printed |
| verify | `saccade index --verify` says exact |

Clips of fewer frames are asked for all of them; rows that name a number in "frames" after a slash
ask for that many. The frame cache is smaller than a frame, so that every request
decodes. All
orders run in one process one after another.

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
  FFmpeg's H.264 concealment depends on the number and kind of threads: with slice threads it gives
  other pictures than with one thread, with frame threads they differ from run to run. Intact clips
  give the same pictures with any threads.

## Cases

{summary}

| case | what is special | what we define | frames | result |
|---|---|---|---|---|
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


def write(path, results, sample):
    count = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for result in results:
        for state, _ in result.rows.values():
            count[state] += 1
    summary = (f"{len(results)} clips: {count['PASS']} passed, {count['FAIL']} failed, "
               f"{count['SKIP']} skipped.")
    command = " ".join(reference.command("FILE"))
    text = HEAD.format(command=command, sample=sample, summary=summary)
    for result in results:
        case = result.case
        frames = f"{result.frames}/{case.sample}" if case.sample else f"{result.frames}"
        text += (f"| {case.name} | {case.special} | {case.defines} | {frames} | "
                 f"{outcome(result)} |\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
