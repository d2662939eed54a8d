// What a model found in the frames of a video: asked for frame by frame or as a stream, and kept.
//
// Everything is asked for at the floor, so that a threshold is applied here, at once.
import { Problem, request, videoPath } from './api.js';

export const FLOOR = 0.05;
const PAIRS = 4;      // of video and model that are kept
const FRAMES = 20000; // that are kept of each
const PATIENCE_S = 1; // between two tries where a busy server does not say

const kept = new Map(); // key -> Findings, least recently used first

// model: as the server lists it; one loaded anew finds other things.
export function findings(video, model) {
    const key = `${video.id} ${video.created} ${model.name} ${model.generation}`;
    const found = kept.get(key) || new Findings(videoPath(video.id), model.name);
    kept.delete(key);
    kept.set(key, found);
    if (kept.size > PAIRS) kept.delete(kept.keys().next().value);
    return found;
}

// Of one video and model.
class Findings {
    constructor(path, model) {
        Object.assign(this, { path, model, frames: new Map(), order: null });
    }

    get(n) {
        return this.frames.get(n);
    }

    // The numbers of the frames that are known, ascending.
    known() {
        this.order ||= Uint32Array.from(this.frames.keys()).sort();
        return this.order;
    }

    // Each `every`th frame from `from` on, before `to`, is told as it is found: each(frame), where a frame
    // is {n, t, width, height, detections}, or {n, t, problem, detections: []} where the server could
    // not decode it. wait() is called while the server is too busy.
    async read({ from, to, every = 1 }, { signal, each = () => {}, wait = () => {} }) {
        const query = new URLSearchParams({ from, to, model: this.model, threshold: FLOOR });
        if (every > 1) query.set('every', every);
        const answer = await patiently(`${this.path}/detections?${query}`, signal, wait);
        for await (const line of lines(answer.body)) {
            const frame = JSON.parse(line);
            if (frame.error) this.lose(frame);
            this.keep(frame);
            each(frame);
        }
    }

    // What may be had later ends the answer; what cannot is a frame with nothing on it.
    lose(frame) {
        const problem = new Problem(frame.error.status, frame.error);
        if (problem.passing) throw problem;
        Object.assign(frame, { problem, detections: [] });
    }

    keep(frame) {
        if (!this.frames.has(frame.n)) this.order = null;
        this.frames.set(frame.n, frame);
        if (this.frames.size > FRAMES) this.frames.delete(this.frames.keys().next().value);
    }
}

async function patiently(path, signal, wait) {
    for (;;) {
        try {
            return await request(path, { signal, cache: 'no-store' });
        } catch (error) {
            if (error.status !== 429 && !error.after) throw error;
            wait();
            await pause((error.after || PATIENCE_S) * 1000, signal);
        }
    }
}

export function pause(ms, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, ms);
        signal.addEventListener('abort', () => {
            clearTimeout(timer);
            reject(signal.reason);
        }, { once: true });
    });
}

async function* lines(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
        const { value, done } = await reader.read().catch(broken);
        if (done) break;
        const parts = (rest + value).split('\n');
        rest = parts.pop();
        yield* parts.filter(Boolean);
    }
    if (rest) yield rest;
}

function broken(error) {
    throw error.name === 'AbortError' ? error : new Problem(0, { title: 'The answer broke off' });
}
