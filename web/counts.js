// From what was found in single frames to layers for the chart: how many objects of each class, on
// top of each other, over time.
import { clamp } from './ui.js';

const LAYERS = 6; // classes drawn by themselves; the rarer ones share one more
export const OTHER = -1;

// Which detections are shown: from the threshold up, and of no class that is hidden.
export class Filter {
    threshold = 0.25;
    hidden = new Set(); // classes; OTHER stands for all that are not in `named`
    named = new Set();

    shows({ score, class: number }) {
        if (score < this.threshold || this.hidden.has(number)) return false;
        return !this.hidden.has(OTHER) || this.named.has(number);
    }
}

// Every how many frames a stretch of `count` is counted: a power of two, so that finer counts of
// parts meet the coarse one of the whole.
export function pace(count, points) {
    return 2 ** Math.max(0, Math.ceil(Math.log2(count / points)));
}

// {from, to, every} of the part of frames [first, last] that is still to be counted, where `to` is the
// frame after the last; null if none is.
export function missing(found, first, last, every) {
    for (let n = Math.ceil(first / every) * every; n <= last; n += every) {
        if (!found.get(n)) return { from: n, to: last + 1, every };
    }
    return null;
}

// The classes by falling number of objects: [{class, label, total}], the rarest as one.
export function rank(found, { threshold }) {
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

// The layers over time: xs in seconds, and for each class the sum of itself and those before it;
// null where nothing is known. A frame's count holds to the next frame that is known, but for no
// more than `every` frames.
export function stack(found, { classes, filter, every, times, duration }) {
    const place = new Map(classes.map((each, i) => [each.class, i]));
    const xs = [];
    const layers = classes.map(() => []);
    const push = (x, sums) => {
        xs.push(x);
        layers.forEach((layer, i) => layer.push(sums && sums[i]));
    };
    const known = found.known();
    known.forEach((n, i) => {
        const sums = sumsOf(found.get(n).detections.filter((one) => filter.shows(one)), place);
        push(times[n], sums);
        const next = known[i + 1] ?? Infinity;
        if (next - n <= every) return;
        push(clamp(times[n + every] ?? duration, times[n], duration), sums);
        if (next < Infinity) push((xs.at(-1) + times[next]) / 2, null);
    });
    return { xs, layers };
}

function sumsOf(detections, place) {
    const sums = new Array(place.size).fill(0);
    for (const one of detections) sums[place.get(one.class) ?? place.get(OTHER)]++;
    for (let i = 1; i < sums.length; i++) sums[i] += sums[i - 1];
    return sums;
}

// The frame with most objects: {n, count}; null when nothing is known.
export function peak(found, filter) {
    let most = null;
    for (const n of found.known()) {
        const count = found.get(n).detections.filter((one) => filter.shows(one)).length;
        if (!most || count > most.count) most = { n, count };
    }
    return most;
}
