// Pictures of frames: fetched two at a time at most, kept in memory while they are few.
//
// There is one picture that the user looks for, and the latest wins: look() drops what it makes
// needless. Everything else (neighbours, thumbnails) waits in line until nothing is looked for.
// Of two lookups in flight the elder runs on, so that a slow server still shows progress while
// the pointer moves; the younger is aborted for the newest.
import { Problem, request } from './api.js';

const IN_FLIGHT = 2;
const MEMORY = 160e6; // bytes of decoded pictures

const memory = new Map(); // path -> picture, least recently used first
let held = 0;
let running = [];  // {path, control, look, waiting}
let line = [];     // background: {path, group, waiting: [{resolve, reject}]}
let wanted = null; // {path, show, fail, order} not yet started
let order = 0;

export function peek(path) {
    const picture = memory.get(path);
    if (picture) {
        memory.delete(path);
        memory.set(path, picture);
    }
    return picture;
}

// show(picture, order) is called later, unless a newer look() made it needless; a higher order
// was asked for later.
export function look(path, show, fail) {
    wanted = { path, show, fail, order: ++order };
    pump();
    return wanted ? wanted.order : order;
}

// Nothing is looked for any more (what was, is in memory).
export function lookAway() {
    wanted = null;
    order++;
    for (const job of running.filter((each) => each.look)) {
        job.look = null;
        if (!job.waiting.length) abort(job);
    }
    return order;
}

// A picture for later, or in the margin. Rejects with AbortError when its group is dropped.
export function wait(path, group) {
    const picture = peek(path);
    if (picture) return Promise.resolve(picture);
    return new Promise((resolve, reject) => {
        const same = line.find((job) => job.path === path && job.group === group);
        if (same) same.waiting.push({ resolve, reject });
        else line.push({ path, group, waiting: [{ resolve, reject }] });
        pump();
    });
}

export function drop(group) {
    const gone = line.filter((job) => job.group === group);
    line = line.filter((job) => job.group !== group);
    for (const job of gone) settle(job, 'reject', new DOMException('dropped', 'AbortError'));
    for (const job of running.filter((each) => each.group === group && !each.look)) abort(job);
}

// Forgets pictures whose path starts with prefix: the video is gone.
export function forget(prefix) {
    for (const path of [...memory.keys()]) if (path.startsWith(prefix)) release(path);
}

function pump() {
    if (wanted) startLook();
    while (!running.some((job) => job.look) && running.length < IN_FLIGHT && line.length) {
        start(line.shift());
    }
}

function startLook() {
    const look = wanted;
    const same = running.find((job) => job.path === look.path);
    wanted = null;
    if (same) {
        same.look = look;
        return;
    }
    if (running.length >= IN_FLIGHT) makeRoom();
    start({ path: look.path, look, waiting: [] });
}

function makeRoom() {
    const background = running.find((job) => !job.look);
    if (background && background.waiting.length) line.unshift({ ...background, control: null });
    if (background) background.waiting = [];
    abort(background || running[running.length - 1]);
}

function abort(job) {
    running = running.filter((each) => each !== job);
    job.control.abort();
}

async function start(job) {
    job.control = new AbortController();
    running.push(job);
    try {
        const picture = peek(job.path) || await load(job.path, job.control.signal);
        keep(job.path, picture);
        settle(job, 'resolve', picture);
        job.look?.show(picture, job.look.order);
    } catch (error) {
        settle(job, 'reject', error);
        if (error.name !== 'AbortError') job.look?.fail(error, job.look.order);
    } finally {
        running = running.filter((each) => each !== job);
        pump();
    }
}

function settle(job, how, value) {
    for (const waiter of job.waiting) waiter[how](value);
    job.waiting = [];
}

async function load(path, signal) {
    // no-cache: revalidated by ETag, so that an id used again never shows the old video.
    const response = await request(path, { signal, cache: 'no-cache' });
    const blob = await response.blob();
    const bitmap = await createImageBitmap(blob).catch(() => {
        throw new Problem(response.status, { title: 'The picture could not be read' });
    });
    signal.throwIfAborted();
    const header = (name) => response.headers.get(name) || '';
    return {
        bitmap, blob, path,
        n: Number(header('X-Frame-Number')),
        time: header('X-Frame-Time'),
        cache: header('X-Cache-Status'),
        seconds: parseFloat(header('X-Processing-Time')),
        verified: header('X-Verified'),
    };
}

export function blobUrl(picture) {
    picture.url ||= URL.createObjectURL(picture.blob);
    return picture.url;
}

const weight = (picture) => picture.bitmap.width * picture.bitmap.height * 4;

function keep(path, picture) {
    if (memory.has(path)) return;
    memory.set(path, picture);
    held += weight(picture);
    for (const old of memory.keys()) {
        if (held <= MEMORY || old === path) break;
        release(old);
    }
}

// The bitmap is left to the garbage collector: it may still be on its way to the screen.
function release(path) {
    const picture = memory.get(path);
    memory.delete(path);
    held -= weight(picture);
    if (picture.url) URL.revokeObjectURL(picture.url);
}
