// The timeline: a canvas with time ruler, keyframes, cached ranges, the playhead and the pointer.
//
// Drawn on a time axis, so frames of uneven length keep their true place. It shows the stretch
// [from, from + span) of the video, which zooming narrows. It knows no requests: it is given what
// to draw, and tells which frame is under an x.
import { clamp } from './ui.js';

const RULER = 18;       // CSS pixels for the time labels
const BAND = 5;         // the cached ranges at the bottom
const FRAMES_AT_LEAST = 12; // in the narrowest stretch
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

export class Timeline {
    // times: seconds of each frame, ascending; keyframes, cached: frame numbers and [first, last]
    // drawn() is called after every drawing, so that what stands below can follow.
    constructor(canvas, drawn) {
        this.canvas = canvas;
        this.drawn = drawn;
        this.context = canvas.getContext('2d');
        this.reset([0], 1);
        new ResizeObserver(() => this.resize()).observe(canvas);
        document.addEventListener('theme', () => this.draw());
    }

    reset(times, duration) {
        Object.assign(this, { times, duration: Math.max(duration, times.at(-1), 1e-6) });
        Object.assign(this, { keyframes: [], cached: [], at: 0, over: null });
        this.fit();
    }

    fit() {
        Object.assign(this, { from: 0, span: this.duration });
    }

    get zoomed() {
        return this.span < this.duration;
    }

    // Keeps what is under x in its place; factor < 1 narrows.
    zoom(factor, x) {
        const least = Math.min(this.duration, this.duration / this.times.length * FRAMES_AT_LEAST);
        const part = x / Math.max(this.width, 1);
        const middle = this.from + part * this.span;
        this.span = clamp(this.span * factor, least, this.duration);
        this.moveTo(middle - part * this.span);
    }

    moveTo(from) {
        this.from = clamp(from, 0, this.duration - this.span);
        this.draw();
    }

    // A chosen frame out of sight brings its stretch with it.
    follow(n) {
        const seconds = this.times[n];
        const seen = seconds >= this.from && seconds <= this.from + this.span;
        if (!seen) this.from = clamp(seconds - this.span / 2, 0, this.duration - this.span);
    }

    resize() {
        const ratio = window.devicePixelRatio || 1;
        const box = this.canvas.getBoundingClientRect();
        this.width = box.width;
        this.height = box.height;
        this.canvas.width = Math.round(box.width * ratio);
        this.canvas.height = Math.round(box.height * ratio);
        this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
        this.draw();
    }

    x(n) {
        return (this.times[n] - this.from) / this.span * this.width;
    }

    frameAt(x) {
        return this.frameOn(this.from + clamp(x / Math.max(this.width, 1), 0, 1) * this.span);
    }

    // The frame on screen at that second: the last one that starts at or before it.
    frameOn(seconds) {
        let [low, high] = [0, this.times.length - 1];
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (this.times[middle] <= seconds) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    draw() {
        if (!this.width) return;
        const style = getComputedStyle(this.canvas);
        const color = (name) => style.getPropertyValue(name).trim();
        this.context.clearRect(0, 0, this.width, this.height);
        this.drawTrack(color);
        this.drawRuler(color, style.fontFamily);
        this.drawKeyframes(color);
        this.drawCached(color);
        if (this.zoomed) this.drawStretch(color);
        if (this.over !== null) this.drawLine(this.over, color('--ink'), false);
        this.drawLine(this.at, color('--accent'), true);
        this.drawn();
    }

    drawTrack(color) {
        this.context.fillStyle = color('--track');
        this.context.beginPath();
        this.context.roundRect(0, RULER, this.width, this.height - RULER, 6);
        this.context.fill();
    }

    drawRuler(color, family) {
        const { context, duration, from, span, width } = this;
        const step = STEPS.find((each) => width * each / span >= 64) || Math.ceil(span / 12 / 3600) * 3600;
        const places = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
        context.font = `11px ${family}`;
        context.textBaseline = 'top';
        for (let i = Math.ceil(from / step); i * step < from + span; i++) {
            const x = (i * step - from) / span * width;
            const text = stamp(i * step, places, duration);
            if (x + context.measureText(text).width > width) break;
            context.fillStyle = color('--ink-2');
            context.fillText(text, x, 1);
            context.fillStyle = color('--tick');
            if (i) context.fillRect(Math.round(x), RULER, 1, 5);
        }
    }

    // Ticks that would touch are thinned: a solid block says nothing.
    drawKeyframes(color) {
        const middle = RULER + (this.height - RULER - BAND) / 2;
        const reach = (this.height - RULER - BAND) * 0.28;
        this.context.fillStyle = color('--key');
        let last = -Infinity;
        for (const n of this.keyframes) {
            const x = this.x(n);
            if (x - last < 3 || x < 0 || x > this.width) continue;
            last = x;
            this.context.fillRect(clamp(Math.round(x) - 0.75, 1, this.width - 2.5), middle - reach, 1.5, 2 * reach);
        }
    }

    drawCached(color) {
        this.context.fillStyle = color('--cached');
        this.context.save();
        this.context.beginPath();
        this.context.roundRect(0, RULER, this.width, this.height - RULER, 6);
        this.context.clip();
        for (const [first, last] of this.cached) {
            const end = last + 1 < this.times.length ? this.x(last + 1) : this.width;
            const x = this.x(first);
            this.context.fillRect(x, this.height - BAND, Math.max(end - x, 1), BAND);
        }
        this.context.restore();
    }

    // Where the stretch lies in the whole video.
    drawStretch(color) {
        const scale = this.width / this.duration;
        this.context.fillStyle = color('--tick');
        this.context.fillRect(0, RULER + 1, this.width, 1);
        this.context.fillRect(this.from * scale, RULER, Math.max(this.span * scale, 6), 3);
    }

    drawLine(n, fill, head) {
        if (this.x(n) < -1 || this.x(n) > this.width + 1) return;
        const x = clamp(this.x(n), 1, this.width - 1);
        this.context.fillStyle = fill;
        this.context.fillRect(x - 1, RULER - (head ? 2 : 0), 2, this.height - RULER + 2);
        if (!head) return;
        this.context.beginPath();
        this.context.arc(clamp(x, 6, this.width - 6), RULER - 2, 6, 0, 2 * Math.PI);
        this.context.fill();
    }
}

function stamp(seconds, places, duration) {
    if (duration < 60) return seconds.toFixed(places);
    const whole = Math.floor(seconds + 1e-6);
    const fraction = places ? (seconds - whole).toFixed(places).slice(1) : '';
    const two = (part) => String(part).padStart(2, '0');
    const tail = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}${fraction}`;
    return duration >= 3600 ? `${Math.floor(whole / 3600)}:${tail}` : tail;
}
