// From what was found in single frames to layers for the chart: how many objects of each class, on
// top of each other, over time.
import { clamp } from './ui.js';

const LAYERS = 6; // classes drawn by themselves; the rarer ones share one more
export const OTHER = -1;

// Every how many frames a stretch of `count` is counted: a power of two, so that finer counts of
// parts meet the coarse one of the whole.
export function pace(count, points) {
    return 2 ** Math.max(0, Math.ceil(Math.log2(count / points)));
}

// {from, to, every} of the part of frames [first, last] that is still to be counted; null if none is.
export function missing(found, first, last, every) {
    for (let n = Math.ceil(first / every) * every; n <= last; n += every) {
        if (!found.get(n)) return { from: n, to: last, every };
    }
    return null;
}

// The classes by falling number of objects: [{class, label, total}], the rarest as one.
export function rank(found, threshold) {
    const classes = new Map();
    for (const n of found.known()) {
        for (const one of found.get(n).detections) {
            if (one.score < threshold) continue;
            const entry = classes.get(one.class) || { class: one.class, label: one.label, total: 0 };
            entry.total++;
            classes.set(one.class, entry);
        }
    }
    const sorted = [...classes.values()].sort((a, b) => b.total - a.total || a.class - b.class);
    if (sorted.length <= LAYERS + 1) return sorted;
    const total = sorted.slice(LAYERS).reduce((sum, each) => sum + each.total, 0);
    return [...sorted.slice(0, LAYERS), { class: OTHER, label: `${sorted.length - LAYERS} others`, total }];
}

// For each layer the sum of itself and those below it, at each x; null where nothing is known.
// A frame's count holds to the next frame, or for `every` frames where that is not known.
export function stack(found, { classes, hidden, threshold, every, times, duration }) {
    const place = new Map(classes.map((each, i) => [each.class, i]));
    const other = place.get(OTHER);
    const xs = [];
    const layers = classes.map(() => []);
    const known = found.known();
    const end = (n) => times[n] ?? duration;
    const push = (x, values) => {
        xs.push(x);
        layers.forEach((layer, i) => layer.push(values && values[i]));
    };
    known.forEach((n, i) => {
        const values = new Array(classes.length).fill(0);
        for (const one of found.get(n).detections) {
            if (one.score < threshold || hidden.has(one.class)) continue;
            const layer = place.get(one.class) ?? other;
            if (layer !== undefined && !hidden.has(classes[layer].class)) values[layer]++;
        }
        for (let j = 1; j < values.length; j++) values[j] += values[j - 1];
        push(times[n], values);
        const next = known[i + 1] ?? Infinity;
        if (next - n <= every) return;
        push(clamp(end(n + every), times[n], duration), values);
        if (next < Infinity) push((xs.at(-1) + times[next]) / 2, null);
    });
    return { xs, layers };
}

// The frame with most objects: {n, count}; null when nothing is known.
export function peak(found, threshold, hidden) {
    let most = null;
    for (const n of found.known()) {
        const count = found.get(n).detections
            .filter((one) => one.score >= threshold && !hidden.has(one.class)).length;
        if (!most || count > most.count) most = { n, count };
    }
    return most;
}
