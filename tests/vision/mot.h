// How good tracks are, against the truth: HOTA, MOTA and IDF1.
//
//   HOTA  Luiten et al. 2021, arXiv:2009.07736, with the matching of its section 5: the mean over
//         19 thresholds of IoU of sqrt(detection accuracy * association accuracy)
//   MOTA  Bernardin, Stiefelhagen 2008 (CLEAR MOT): 1 - (misses + false + switches) / truth
//   IDF1  Ristani et al. 2016, arXiv:1609.01775: F1 of the best one-to-one pairing of identities
// MOTA and IDF1 count a pair from IoU 0.5.
//
// Thread-safety: Unsafe.
#pragma once

#include <stdbool.h>

#include "vision/kalman.h"

typedef struct mot mot;

struct mot_box {
    int id; // any of 0 or above; in one frame each once
    int class;
    struct sc_box box;
    bool ignore; // of the truth: neither to be found nor wrong when found
};

struct mot_scores {
    double hota, deta, assa, mota, idf1; // 1 is perfect
    int truth, misses, wrong, switches;  // of MOTA
    int ids;                             // different ones that the tracker gave
};

mot *mot_new(void);
void mot_free(mot **pmot);
// Sequences are put together by giving each other ids in all of them.
void mot_add(mot *m, const struct mot_box *truth, int truths, const struct mot_box *tracks,
             int count);
struct mot_scores mot_scores(const mot *m);
