// Detections as text that other programs read: a JSON line or CSV lines a frame.
//
// Thread-safety: pure.
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "vision/detection.h"

struct sc_report {
    int64_t n;                 // the frame
    const char *t;             // its time in seconds, decimal text
    const char *model;         // name
    const char *const *labels; // by class, NULL = numbers
    int label_count;
    const sc_detections *detections;
    int count;   // of them, from the first
    bool tracks; // CSV has their column
};

// One item: {"class":39,"label":"bottle","score":0.83,"box":[x1,y1,x2,y2],"track":7}; "track" only where
// there is one. labels NULL = numbers.
void sc_report_add_detection(sc_str *out, const struct sc_detection *item,
                             const char *const *labels, int label_count);
// {"n":20,"t":0.8,"width":768,"height":432,"model":"m","detections":[{"class":39,"label":"bottle",
// "score":0.83,"box":[x1,y1,x2,y2],"track":7}]} and a newline; "track" only where there is one.
void sc_report_add_json(sc_str *out, const struct sc_report *report);

#define SC_REPORT_CSV_HEADER       "n,t,class,label,score,x1,y1,x2,y2\n"
#define SC_REPORT_CSV_HEADER_TRACK "n,t,class,label,score,x1,y1,x2,y2,track\n"
// A line a detection, its track empty where there is none; none for a frame without.
void sc_report_add_csv(sc_str *out, const struct sc_report *report);
