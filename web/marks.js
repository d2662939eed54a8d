// Boxes over a live picture: what was found on the very picture that is on the screen.
//
// Messages come by the picture's RTP timestamp, before or after the picture itself; they wait here for each
// other. A picture without a message has no boxes. Drawn in the screen's own pixels, so they are sharp at any
// zoom.
import { color, percent } from './boxes.js';

const KEPT = 300;      // messages and pictures that wait for each other
const FORGET_S = 30;   // of the stream's time: a track that was not seen for so long
const LABEL = 18;      // CSS pixels
const SMALL = 40;      // a box lower than this, CSS pixels,
const FEW = 8;         // among more objects than this is told by its number alone

export class Marks {
    // canvas lies over the stage; changed() is called when other objects are on the picture.
    constructor(canvas, changed) {
        Object.assign(this, { canvas, changed, messages: new Map(), tracks: new Map(), chosen: null, on: true, rtp: undefined, message: null, zoom: 1 });
        this.context = canvas.getContext('2d');
        new ResizeObserver(() => this.draw()).observe(canvas);
        // A move to another screen, or a zoom, may change the pixels without changing the size.
        addEventListener('resize', () => this.draw());
    }

    // The picture's own size, to know where in the stage it lies.
    ratio = 16 / 9;

    take(text) {
        let message;
        try {
            message = JSON.parse(text);
        } catch {
            return; // an unreliable channel may as well bring nonsense
        }
        if (!Number.isFinite(message.rtp) || !Array.isArray(message.detections)) return;
        message.came = performance.now();
        this.messages.set(message.rtp, message);
        if (this.messages.size > KEPT) this.messages.delete(this.messages.keys().next().value);
        if (message.rtp === this.rtp) this.shown(this.rtp);
    }

    // Another picture is on the screen. Returns its message, if that is here.
    shown(rtp) {
        this.rtp = rtp;
        this.message = this.messages.get(rtp) || null;
        if (this.message) this.note(this.message);
        this.draw();
        this.changed(this.message);
        return this.message;
    }

    clear() {
        this.messages.clear();
        this.tracks.clear();
        this.rtp = undefined;
        this.message = this.chosen = null;
        this.draw();
        this.changed(null);
    }

    // Since when each track is seen, in the stream's own time.
    note({ t, detections }) {
        for (const { track } of detections) {
            if (track === undefined) continue;
            const known = this.tracks.get(track);
            if (known) known.last = t;
            else this.tracks.set(track, { first: t, last: t });
        }
        for (const [track, { last }] of this.tracks) if (t - last > FORGET_S || t < last - 1) this.tracks.delete(track);
    }

    seen = (track) => this.tracks.get(track);

    // --- where things are -----------------------------------------------------------------

    // The picture within the stage, in CSS pixels.
    place() {
        const { clientWidth: wide, clientHeight: high } = this.canvas;
        const width = Math.min(wide, high * this.ratio);
        const height = width / this.ratio;
        return { x: (wide - width) / 2, y: (high - height) / 2, width, height };
    }

    // Boxes of the objects on the picture, in CSS pixels, the surest first.
    boxes() {
        if (!this.message) return [];
        const { width, height, detections } = this.message;
        const at = this.place();
        const [wide, high] = [at.width / width, at.height / height];
        return detections.toSorted((a, b) => b.score - a.score).map((one) => {
            const [x1, y1, x2, y2] = one.box;
            return { one, x: at.x + x1 * wide, y: at.y + y1 * high, width: (x2 - x1) * wide, height: (y2 - y1) * high };
        });
    }

    // The smallest object at a place, given in CSS pixels of the canvas.
    hit(x, y) {
        const under = this.boxes().filter((box) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height);
        return under.toSorted((a, b) => a.width * a.height - b.width * b.height)[0]?.one || null;
    }

    // One that has a track is followed; another one is what it was.
    choose(one) {
        this.chosen = one;
        this.draw();
        this.changed(this.message);
    }

    // The one to the right of the chosen one, and from the last on to the first.
    chooseNext() {
        const all = this.boxes().toSorted((a, b) => a.x - b.x).map(({ one }) => one);
        this.choose(all[(all.findIndex((one) => this.isChosen(one)) + 1) % all.length] || null);
    }

    isChosen(one) {
        return Boolean(this.chosen) && (one === this.chosen || (one.track !== undefined && one.track === this.chosen.track));
    }

    // --- drawing --------------------------------------------------------------------------

    draw() {
        const { canvas, context } = this;
        const scale = window.devicePixelRatio || 1;
        const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
        else context.clearRect(0, 0, width, height);
        const boxes = this.on ? this.boxes() : [];
        canvas.dataset.rtp = this.message?.rtp ?? '';
        canvas.dataset.boxes = boxes.length;
        context.setTransform(scale, 0, 0, scale, 0, 0);
        context.font = `600 12px ${getComputedStyle(canvas).fontFamily}`;
        for (const box of boxes.toReversed()) this.box(box, scale, boxes.length > FEW && box.height < SMALL);
        context.setTransform(1, 0, 0, 1, 0, 0);
    }

    box({ one, x, y, width, height }, scale, brief) {
        const { context } = this;
        const { hue, odd } = color(one.track ?? one.class);
        const paint = `oklch(${0.79 + 0.1 * odd} 0.15 ${hue})`;
        const snap = (value) => Math.round(value * scale) / scale;
        const edges = [snap(x), snap(y), snap(width), snap(height)];
        const chosen = this.isChosen(one);
        context.lineJoin = 'round';
        for (const [stroke, line] of [['#000a', chosen ? 7 : 4], [paint, chosen ? 4 : 2]]) {
            context.strokeStyle = stroke;
            context.lineWidth = line;
            context.strokeRect(...edges);
        }
        const number = one.track === undefined ? '' : String(one.track);
        const full = `${one.label ?? one.class}${number && ` ${number}`} ${percent(one.score)}`;
        const text = brief && !chosen ? number : full;
        if (text) this.label(text, edges, paint);
    }

    // Above the box, or inside it at the picture's top.
    label(text, [x, y], paint) {
        const { context, canvas } = this;
        const width = context.measureText(text).width + 10;
        const left = Math.max(0, Math.min(x - 1, canvas.clientWidth - width));
        const top = y >= LABEL ? y - LABEL : y;
        context.fillStyle = paint;
        context.beginPath();
        context.roundRect(left, top, width, LABEL, 3);
        context.fill();
        context.fillStyle = '#101113';
        context.fillText(text, left + 5, top + 13);
    }
}
