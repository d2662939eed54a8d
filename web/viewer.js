// The scrubber: one video, any frame.
//
// Two frame numbers rule it: `at`, the frame that was chosen, and `over`, the one under the
// pointer while it is on the timeline. The picture, its number and its time on the page always
// come from the same answer of the server, so they cannot disagree.
//
// `scrubber` fires "opened" and "closed" for a video, "shown" when another picture is on the stage,
// and "moved" when the timeline was drawn anew; scene() says what is there then.
import { framePath, getJson, request, videoPath } from './api.js';
import * as models from './models.js';
import * as pictures from './pictures.js';
import { Strip } from './strip.js';
import { Timeline } from './timeline.js';
import { $, clamp, copy, save, toast } from './ui.js';
import { facts, moreFacts, title } from './videos.js';

const SMALL = 320;      // picture width while the pointer moves
const REST_MS = 110;    // no movement for so long: the full picture
const AHEAD = 3;        // neighbours fetched in the direction of travel
const INDEX_PAGE = 200000; // frames asked for at once
const INDEX_MOST = 1000000; // what the server gives at once

export const scrubber = new EventTarget();
const fire = (type) => scrubber.dispatchEvent(new Event(type));
const timeline = new Timeline($('timeline').querySelector('canvas'), () => fire('moved'));
const strip = new Strip($('strip'), (n) => go(n));
const state = { video: null, times: [], keyframes: [], at: 0, over: null, shown: null };
let restTimer;
let addressTimer;
let cacheTimer;
let choices = 0; // of frames, so far
let opening = null; // AbortController of the video being opened

export const current = () => state.video?.id;

// The video with its frames' times in seconds, the frame of the picture shown (undefined: none yet),
// the frame pointed at or chosen, and the stretch of time on the timeline; frameAt(seconds) is the
// frame on screen then.
export const scene = () => ({
    video: state.video, times: timeline.times, duration: timeline.duration,
    shown: state.shown?.n, target: target(), from: timeline.from, span: timeline.span,
    frameAt: (seconds) => timeline.frameOn(seconds),
});

// Shows the video at frame n. Rejects with a Problem if there is no such video.
export async function open(id, n) {
    if (state.video?.id === id) return void go(n);
    close();
    opening = new AbortController();
    const { signal } = opening;
    const [video, index] = await Promise.all([
        getJson(videoPath(id), { signal, cache: 'no-store' }),
        readIndex(id, signal),
    ]);
    signal.throwIfAborted();
    begin(video, index, n);
}

export function close() {
    opening?.abort();
    clearTimeout(restTimer);
    clearTimeout(cacheTimer);
    clearTimeout(addressTimer);
    pictures.lookAway();
    pictures.drop('near');
    strip.clear();
    if (!state.video) return;
    state.video = null;
    fire('closed');
}

async function readIndex(id, signal) {
    const index = { times: [], keyframes: [] };
    for (let from = 0; from !== null;) {
        const query = new URLSearchParams({ from, limit: INDEX_PAGE });
        const page = await getJson(`${videoPath(id)}/index?${query}`, { signal, cache: 'no-store' });
        index.times = index.times.concat(page.times.map(String));
        index.keyframes = index.keyframes.concat(page.keyframes);
        from = page.next ?? null;
    }
    return index;
}

function begin(video, { times, keyframes }, n) {
    Object.assign(state, { video, times, keyframes, over: null, shown: null });
    state.at = clamp(n, 0, times.length - 1);
    state.shownOrder = 0;
    timeline.reset(Float64Array.from(times, Number), Number(video.duration));
    timeline.keyframes = keyframes;
    $('viewer-name').textContent = title(video);
    $('viewer-facts').textContent = `${moreFacts(video)} · ${facts(video)} · ${rate(video)}${proven(video)}`;
    $('shown-of').textContent = ` / ${times.length - 1}`;
    $('timeline').setAttribute('aria-valuemax', times.length - 1);
    $('stage').style.setProperty('--ratio', String(video.width / video.height));
    reserve(times);
    sizeCanvas();
    showZoom();
    strip.begin(video, times.length, new Set(keyframes));
    fire('opened');
    aim();
    chosen();
}

// Room for the longest number and time, so that nothing beside them moves.
function reserve(times) {
    const longest = times.slice(-1000).reduce((most, time) => (time.length > most.length ? time : most), '');
    for (const [output, text] of [[$('shown-n'), times.length - 1], [$('shown-time'), longest]]) {
        output.textContent = text;
        output.parentNode.style.minWidth = '';
        output.parentNode.style.minWidth = `${Math.ceil(output.parentNode.getBoundingClientRect().width)}px`;
    }
}

const rate = (video) => `${Number(Number(video.fps).toFixed(3))} fps`;
const proven = (video) => (video.verdict === 'exact' ? ' · every frame verified' : '');

export function go(n) {
    if (!state.video) return;
    state.at = clamp(n, 0, state.times.length - 1);
    state.over = null;
    aim();
    chosen();
}

// --- which picture to ask for ------------------------------------------------------------

const target = () => state.over ?? state.at;

// As many pixels as the stage shows, in steps that let caches agree, never more than there are.
function fullWidth() {
    const box = $('stage').getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = state.video;
    const fits = Math.min(box.width, box.height * width / height) * ratio;
    return Math.min(width, Math.ceil(fits / 160) * 160);
}

function sizeCanvas() {
    const { width, height } = state.video;
    $('picture').width = state.full = fullWidth();
    $('picture').height = Math.round(state.full * height / width);
}

const pathOf = (n, width) => framePath(state.video.id, n, { w: width });

function aim(moving = false) {
    const n = target();
    const full = pictures.peek(pathOf(n, state.full));
    if (full) show(full, pictures.lookAway());
    else {
        const width = moving ? Math.min(SMALL, state.full) : state.full;
        const small = moving && pictures.peek(pathOf(n, width));
        if (small) show(small, pictures.lookAway());
        else pictures.look(pathOf(n, width), show, failed);
    }
    timeline.at = state.at;
    timeline.over = state.over;
    timeline.draw();
    $('stage').classList.toggle('pending', state.shown?.n !== n);
    clearTimeout(restTimer);
    if (moving) restTimer = setTimeout(() => aim(), REST_MS);
    else restTimer = setTimeout(lookAround, REST_MS);
}

// An older answer than the one on screen is dropped; one of another video never gets here,
// because closing looks away.
function show(picture, order) {
    if (!state.video || order < state.shownOrder) return;
    const canvas = $('picture');
    state.shown = picture;
    state.shownOrder = order;
    canvas.getContext('2d').drawImage(picture.bitmap, 0, 0, canvas.width, canvas.height);
    $('stage-error').hidden = true;
    $('stage').classList.toggle('pending', picture.n !== target());
    tell(picture);
}

function failed(error, order) {
    if (!state.video || order < state.shownOrder) return;
    $('stage-error').hidden = false;
    $('stage-error').textContent = error.text || String(error);
}

function tell(picture) {
    const key = isKeyframe(picture.n);
    $('picture').dataset.n = picture.n;
    $('picture').dataset.width = picture.bitmap.width;
    $('picture').setAttribute('aria-label', `Frame ${picture.n}, ${picture.time} seconds`);
    $('shown-n').textContent = picture.n;
    $('shown-time').textContent = picture.time;
    $('chip-key').classList.toggle('on', key);
    $('chip-cache').textContent = `${picture.cache || '–'} ${milliseconds(picture.seconds)}`;
    $('chip-cache').dataset.state = picture.cache;
    fire('shown');
}

function milliseconds(seconds) {
    if (!Number.isFinite(seconds)) return '';
    return seconds < 0.00005 ? '< 0.1 ms' : `${(seconds * 1000).toFixed(1)} ms`;
}

function isKeyframe(n) {
    return state.keyframes[keyframeBefore(n + 1)] === n;
}

// The place in the list of the last keyframe before frame n, -1 if there is none.
function keyframeBefore(n) {
    let [low, high] = [0, state.keyframes.length];
    while (low < high) {
        const middle = (low + high) >> 1;
        if (state.keyframes[middle] < n) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}

// --- after a frame was chosen ------------------------------------------------------------

function chosen() {
    const { at, times } = state;
    choices++;
    const slider = $('timeline');
    slider.setAttribute('aria-valuenow', at);
    slider.setAttribute('aria-valuetext',
        `Frame ${at}, ${times[at]} seconds${isKeyframe(at) ? ', keyframe' : ''}`);
    timeline.follow(at);
    timeline.draw();
    state.direction = at < (state.before ?? 0) ? -1 : 1;
    state.before = at;
    note();
}

// The address is what is on the page, to be sent to others. Browsers refuse hundreds of changes in a
// few seconds.
function note() {
    const before = location.hash;
    clearTimeout(addressTimer);
    addressTimer = setTimeout(() => {
        if (location.hash !== before) return; // the user goes elsewhere, which the page is about to hear
        const query = new URLSearchParams({ n: state.at, ...models.name() && { model: models.name() } });
        history.replaceState(null, '', `#/v/${state.video.id}?${query}`);
    }, 150);
}

// The pointer or key rests: what is near, then what the server's cache holds by now.
function lookAround() {
    const { at, direction, full } = state;
    pictures.drop('near');
    strip.show(at);
    const near = [];
    for (let i = 1; i <= AHEAD; i++) near.push(at + i * direction);
    near.push(at - direction);
    for (const n of near) {
        if (n >= 0 && n < state.times.length) pictures.wait(pathOf(n, full), 'near').catch(() => {});
    }
    clearTimeout(cacheTimer);
    cacheTimer = setTimeout(refreshCached, 500);
}

async function refreshCached() {
    const { video } = state;
    try {
        const query = new URLSearchParams({ cache: 1, limit: INDEX_MOST });
        const { cached } = await getJson(`${videoPath(video.id)}/index?${query}`, { cache: 'no-store' });
        if (state.video !== video) return;
        timeline.cached = cached;
        timeline.draw();
    } catch {
        // The ranges are a hint; what went wrong is told where a picture is missing.
    }
}

// --- the pointer on the timeline, or on the chart below it -------------------------------

let dragging = false;
let pointerFrame = 0;

function underPointer(event) {
    const box = $('timeline').querySelector('canvas').getBoundingClientRect();
    return timeline.frameAt(event.clientX - box.left);
}

function point(event) {
    const n = underPointer(event);
    placeBubble(n);
    // One look a drawn frame: pointers report up to a thousand times a second.
    cancelAnimationFrame(pointerFrame);
    pointerFrame = requestAnimationFrame(() => {
        if (!state.video || n === target()) return;
        if (dragging) {
            state.at = n;
            state.over = null;
            chosen();
        } else state.over = n;
        aim(true);
    });
}

function placeBubble(n) {
    const bubble = $('bubble');
    bubble.hidden = false;
    bubble.textContent = `${n} · ${state.times[n]} s`;
    const half = bubble.offsetWidth / 2;
    bubble.style.translate = `${clamp(timeline.x(n), half, timeline.width - half) - half}px 0`;
}

function leave() {
    cancelAnimationFrame(pointerFrame);
    $('bubble').hidden = true;
    if (!state.video || state.over === null) return;
    state.over = null;
    aim();
}

function press(event) {
    if (event.button !== 0 || !state.video) return;
    dragging = true;
    event.currentTarget.setPointerCapture(event.pointerId);
    placeBubble(underPointer(event));
    state.at = underPointer(event);
    state.over = null;
    aim(event.pointerType === 'touch');
    chosen();
}

function release(event) {
    if (!dragging) return;
    dragging = false;
    cancelAnimationFrame(pointerFrame);
    go(underPointer(event));
    if (event.pointerType === 'touch') leave();
}

// The wheel zooms where the pointer is; sideways, or with Shift, it moves along.
function turnWheel(event) {
    if (!state.video) return;
    event.preventDefault();
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    const box = $('timeline').getBoundingClientRect();
    if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) {
        timeline.moveTo(timeline.from + sideways / box.width * timeline.span);
    } else timeline.zoom(1.002 ** event.deltaY, event.clientX - box.left);
    showZoom();
    point(event);
}

function zoom(factor) {
    timeline.zoom(factor, clamp(timeline.x(state.at), 0, timeline.width));
    showZoom();
}

function showZoom() {
    $('fit').classList.toggle('on', timeline.zoomed);
}

// --- keys, buttons and the jump field ----------------------------------------------------

const MOVES = {
    first: () => 0,
    last: () => state.times.length - 1,
    back: () => state.at - 1,
    on: () => state.at + 1,
    'back-ten': () => state.at - 10,
    'on-ten': () => state.at + 10,
    'key-back': () => state.keyframes[keyframeBefore(state.at)] ?? 0,
    'key-on': () => state.keyframes[keyframeBefore(state.at + 1) + 1] ?? state.times.length - 1,
};

const KEYS = {
    ArrowLeft: 'back', ArrowRight: 'on', ArrowDown: 'back', ArrowUp: 'on',
    PageUp: 'key-back', PageDown: 'key-on', Home: 'first', End: 'last',
};

const ZOOMS = { '+': 0.5, '=': 0.5, '-': 2, 0: Infinity };

function move(name) {
    $('bubble').hidden = true;
    go(MOVES[name]());
}

function pressKey(event) {
    const elsewhere = event.target.closest('input:not([type="checkbox"]), select, textarea, dialog');
    if (!state.video || elsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    if (ZOOMS[event.key]) return void zoom(ZOOMS[event.key]);
    const onTimeline = event.target === $('timeline');
    // Away from the timeline, up and down scroll the page, as everywhere.
    if (!onTimeline && /^Arrow(Up|Down)$/.test(event.key)) return;
    const name = KEYS[event.key];
    if (!name) return;
    event.preventDefault();
    move(event.shiftKey && event.key.startsWith('Arrow') ? `${name}-ten` : name);
}

// 120 and #120 are frames; 4.8, 5s and 1:04.8 are times. Minutes become seconds on the text, so
// that the fraction stays what was typed.
export function parsePlace(text) {
    const typed = text.trim().replace(',', '.');
    const frame = /^#?(\d+)$/.exec(typed);
    if (frame) return { n: Number(frame[1]) };
    const time = /^(?:(?:(\d+):)?(\d+):)?(\d*)(\.\d*)?\s*s?$/.exec(typed);
    if (!time || !/\d/.test(typed)) return null;
    const [, hours, minutes, seconds, fraction] = time;
    const whole = Number(hours || 0) * 3600 + Number(minutes || 0) * 60 + Number(seconds || 0);
    return { t: `${whole}${fraction && fraction.length > 1 ? fraction : ''}` };
}

function complain(text) {
    $('jump-error').hidden = !text;
    $('jump-error').textContent = text;
    $('jump-to').setAttribute('aria-invalid', String(Boolean(text)));
}

async function jump(event) {
    event.preventDefault();
    const place = parsePlace($('jump-to').value);
    const last = state.times.length - 1;
    if (!place) return complain('Type a frame number (120) or a time (4.8 or 0:04.8).');
    if (place.n > last) return complain(`The last frame is ${last}.`);
    const mine = ++choices; // who chooses again while the server thinks stays there
    try {
        const n = place.n ?? await frameOfTime(place.t);
        if (mine !== choices) return undefined;
        complain('');
        go(n);
    } catch (error) {
        if (mine === choices) complain(error.detail || error.message);
    }
    return undefined;
}

// The server decides which frame a time names: it compares exactly.
async function frameOfTime(t) {
    const query = new URLSearchParams({ t, w: 160 });
    const answer = await request(`${videoPath(state.video.id)}/frame?${query}`, { cache: 'no-cache' });
    return Number(answer.headers.get('X-Frame-Number'));
}

// --- taking a frame away -----------------------------------------------------------------

async function download(format) {
    const { video, at } = state;
    const stem = title(video).replace(/\.[^.]+$/, '').replace(/[^\p{L}\p{N}_-]+/gu, '-');
    const name = `${stem}-${String(at).padStart(6, '0')}.${format === 'jpeg' ? 'jpg' : format}`;
    try {
        const answer = await request(framePath(video.id, at, { format, quality: format === 'jpeg' && 95 }));
        save(await answer.blob(), name);
        toast(`${name} saved`);
    } catch (error) {
        toast(error.text || String(error));
    }
}

function resized() {
    if (!state.video || fullWidth() === state.full) return;
    sizeCanvas();
    state.shownOrder = 0;
    if (state.shown) $('picture').getContext('2d').drawImage(state.shown.bitmap, 0, 0, $('picture').width, $('picture').height);
    aim();
}

// The element lies on the same axis as the timeline, as wide and at the same left.
function scrubOn(node) {
    node.addEventListener('pointermove', point);
    node.addEventListener('pointerdown', press);
    node.addEventListener('pointerup', release);
    node.addEventListener('pointercancel', release);
    node.addEventListener('pointerleave', () => { if (!dragging) leave(); });
    node.addEventListener('wheel', turnWheel, { passive: false });
}

export function start() {
    scrubOn($('timeline'));
    scrubOn($('chart'));
    models.models.addEventListener('chosen', () => { if (state.video) note(); });
    $('fit').addEventListener('click', () => zoom(Infinity));
    document.addEventListener('keydown', pressKey);
    for (const button of document.querySelectorAll('[data-go]')) {
        button.addEventListener('click', () => move(button.dataset.go));
    }
    $('jump').addEventListener('submit', jump);
    $('jump-to').addEventListener('input', () => complain(''));
    $('copy-frame').addEventListener('click', () => copy(location.origin + framePath(state.video.id, state.at), 'Frame URL'));
    $('save-jpeg').addEventListener('click', () => download('jpeg'));
    $('save-png').addEventListener('click', () => download('png'));
    new ResizeObserver(resized).observe($('stage'));
}

// After the server was away: what is missing is asked for again.
export const again = () => { if (state.video) aim(); };
