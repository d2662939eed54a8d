// Repairs the times of a source: what goes in has wraps, jumps, gaps and holes, what comes out grows.
//
// In: decoding and display times of a picture track and a sound track, in ticks, some of them
// missing, and when each packet arrived. Out: nanoseconds from 0, the dts of each track growing
// strictly. Both tracks are moved by the same correction, so that sound keeps its distance to the
// picture. It owns no clock.
//
//   start     the first picture's dts becomes 0; sound from before is left out
//   wraps     counters of any width go on growing, also where sound wraps before the picture does
//   missing   times are made from the others, the frame's duration, and the depth of reordering
//   jumps     a step back, or ahead by more than 2 s (10 s in files) without as long a pause in
//             arrival: the track goes on one frame later, or after a pause where the clock says.
//             The other track takes the same correction with its own jump. A single wrong time
//             is passed over: the next one fits the old correction
//   pauses    that the clock confirms stay
//   drift     live: how far times lead arrival is measured as the least of 20 s each; what differs
//             from the start is taken back by a 32nd of it a second, at most 20 ms a second. So a
//             source whose clock is wrong by p parts is off by about 60 s * p, for ever
//   resume    after a loss times go on where the clock says; after a file's end its first picture is shown
//             as soon as the last one and the sound are over. Sound that reaches back into them is left out
//
// Thread-safety: Unsafe; one owner.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libavutil/rational.h>

typedef struct sc_timeline sc_timeline;

enum sc_timeline_track { SC_TIMELINE_PICTURE, SC_TIMELINE_SOUND, SC_TIMELINE_TRACKS };

struct sc_timeline_params {
    bool live;  // arrival means something; false: a file
    bool jumps; // of a format whose times may jump; a live source's always may
};

sc_timeline *sc_timeline_new(const struct sc_timeline_params *params); // never NULL
void sc_timeline_free(sc_timeline **ptimeline);

struct sc_timeline_format {
    AVRational time_base; // of the ticks; what is not positive is taken as 1/1000
    int wrap_bits;        // width of the counter; 0 or more than 62 = it does not wrap
    int64_t frame_ns;     // duration of a packet that does not say; 0 = 40 ms, sound 20 ms
    int delay;            // frames by which decoding runs ahead of display at most
};

// At the start and whenever the source was opened again; before the first packet of the track.
void sc_timeline_set_track(sc_timeline *timeline, enum sc_timeline_track track,
                           const struct sc_timeline_format *format);

// What comes next belongs to a new opening of the source, or a new round of the file.
void sc_timeline_resume(sc_timeline *timeline);

struct sc_timeline_in {
    int64_t pts, dts;   // ticks; AV_NOPTS_VALUE = missing
    int64_t duration;   // ticks; <= 0 = unknown
    int64_t arrival_ns; // when it was read, on a clock that does not go back
};

struct sc_timeline_out {
    int64_t pts_ns, dts_ns; // pts >= dts
    int64_t duration_ns;
    bool pts_guessed; // it was missing and is taken from dts: wrong where frames are reordered
};

// Places one packet. SC_EAGAIN: sound before the first picture since the start or a resume: offer it
// again after a picture. SC_ERANGE: sound that would overlap what was given, or lies before the
// start: leave it out. A picture gets SC_OK (but for times of more than 18 years).
int sc_timeline_place(sc_timeline *timeline, enum sc_timeline_track track,
                      const struct sc_timeline_in *in, struct sc_timeline_out *out);

int64_t sc_timeline_jumps(const sc_timeline *timeline); // repaired so far
