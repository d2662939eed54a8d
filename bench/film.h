// The stages of a live stream behind the detector, each alone over the same pictures. What one makes
// is kept for the next; doing it again replaces it.
//
// Thread-safety: Unsafe; one thread.
#pragma once

#include "media/crop.h"
#include "media/frame.h"
#include "vision/detection.h"

#define FILM_FRAMES 400 // at most

struct film {
    // The caller's.
    sc_frame **frames;
    int count;
    int follow; // class that the camera follows
    // The film's own.
    sc_detections *found[FILM_FRAMES]; // put there by the caller
    sc_detections *tracked[FILM_FRAMES];
    bool cuts[FILM_FRAMES];
    struct sc_crop crops[FILM_FRAMES];
    sc_frame *cropped[FILM_FRAMES], *drawn[FILM_FRAMES];
};

// In this order at first. 0, or -1 with the reason in error.
int film_cut(struct film *film, char error[256]);
int film_track(struct film *film, char error[256]);
int film_camera(struct film *film, char error[256]);
int film_crop(struct film *film, char error[256]); // to 1280x720
int film_overlay(struct film *film, char error[256]);
int film_encode(struct film *film, char error[256]); // x264 veryfast; the packets are dropped

void film_release(struct film *film);
