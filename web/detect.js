// Detection on the page: which model and threshold are in use, and the boxes on the frame shown.
//
// Boxes are always those of the frame on the stage: another frame's are taken away before its own
// are known. Their list, where a flicker would be all that is seen, only fades for a moment.
import * as boxes from './boxes.js';
import { Filter } from './counts.js';
import { FLOOR, findings, pause } from './detections.js';
import * as models from './models.js';
import * as tally from './tally.js';
import { $, clamp } from './ui.js';
import { scene, scrubber } from './viewer.js';

const REST_MS = 90; // a frame passed over sooner is not asked for
const LATE_MS = 200; // an answer that takes longer is worth a word
const THRESHOLD = 'saccade-threshold:'; // and the model's name
const BOXES = 'saccade-boxes';

let model = null;
let found = null; // Findings of the video and the model in use, null = none
let filter = new Filter();
let looking = null; // {n, control} of the frame being asked for
let lateTimer;

// Another video or another model: all starts anew, with what is kept of the two.
function begin() {
    const { video } = scene();
    end();
    model = models.chosen();
    $('detecting').hidden = !model;
    $('counts').hidden = !(model || models.expected());
    found = video && model && findings(video, model);
    if (!found) return;
    filter = new Filter();
    setThreshold(Number(localStorage.getItem(THRESHOLD + model.name)) || model.threshold);
    look();
    tally.begin(found, filter);
}

function end() {
    looking?.control.abort();
    looking = found = null;
    tally.end();
    clear();
    boxes.clearList();
    say('');
}

// --- the frame that is shown --------------------------------------------------------------

function say(text, trouble = false) {
    clearTimeout(lateTimer);
    $('detecting').classList.remove('stale');
    $('found-summary').textContent = text;
    $('found-summary').classList.toggle('trouble', trouble);
}

function clear() {
    boxes.clear();
    delete $('boxes').dataset.n;
}

// The list is that of an earlier frame.
function fade() {
    $('detecting').classList.add('stale');
    clearTimeout(lateTimer);
    lateTimer = setTimeout(() => report('Looking…'), LATE_MS);
}

// Instead of a list.
function report(text, trouble) {
    boxes.clearList();
    say(text, trouble);
}

function show(frame) {
    if (frame.problem) return void report(frame.problem.text, true);
    const detections = frame.detections.filter((one) => filter.shows(one));
    boxes.draw({ ...frame, detections });
    $('boxes').dataset.n = frame.n;
    say(summary(detections));
}

// 3 objects: bottle 2, person 1
function summary(detections) {
    if (!detections.length) return `Nothing found from ${filter.threshold.toFixed(2)} up`;
    const names = new Map();
    for (const { label } of detections) names.set(label, (names.get(label) || 0) + 1);
    const parts = [...names].map(([label, times]) => `${label} ${times}`);
    return `${detections.length} ${detections.length === 1 ? 'object' : 'objects'}: ${parts.join(', ')}`;
}

// The boxes of the frame on the stage: at once where they are known, else the server is asked.
function look() {
    const { shown } = scene();
    if (!found || shown === undefined || looking?.n === shown) return;
    const passing = Boolean(looking);
    looking?.control.abort();
    looking = null;
    const frame = found.get(shown);
    if (frame) return void show(frame);
    clear();
    ask(shown, passing);
}

// passing: another frame was being asked for, so this one may be passed over as well.
async function ask(n, passing) {
    const mine = looking = { n, control: new AbortController() };
    const { signal } = mine.control;
    const wait = () => report('The server is busy; asking again…');
    fade();
    try {
        if (passing) await pause(REST_MS, signal);
        await found.read({ from: n, to: n + 1 }, { signal, wait });
        if (looking === mine) answered(n);
    } catch (error) {
        if (looking !== mine) return;
        looking = null;
        report(error.text || String(error), true);
    }
}

function answered(n) {
    const frame = found.get(n);
    looking = null;
    if (frame) show(frame);
    else report('The server said nothing about this frame.', true);
}

// --- controls -----------------------------------------------------------------------------

// Nothing is asked for, all is drawn anew.
function refilter() {
    const frame = found?.get(scene().shown);
    if (frame) show(frame);
    tally.redraw();
}

function setThreshold(value) {
    filter.threshold = clamp(value, FLOOR, 0.95);
    $('threshold').value = filter.threshold;
    $('threshold-value').textContent = filter.threshold.toFixed(2);
}

function slide() {
    setThreshold(Number($('threshold').value));
    localStorage.setItem(THRESHOLD + model.name, filter.threshold);
    refilter();
}

function showBoxes(on) {
    $('boxes-on').checked = on;
    $('boxes').hidden = !on;
    localStorage.setItem(BOXES, on ? '1' : '0');
    if (on) refilter(); // labels were placed by a size that was not there
}

function pressKey(event) {
    const typing = event.target.closest('input:not([type="checkbox"], [type="range"]), select, textarea, dialog');
    if (event.key !== 'b' || typing || !found || event.ctrlKey || event.metaKey || event.altKey) return;
    showBoxes($('boxes').hidden);
}

// After the server was away: what is missing is asked for again.
export function again() {
    if (!found) return;
    look();
    tally.again();
}

export function start() {
    models.start();
    tally.start(refilter);
    models.models.addEventListener('chosen', begin);
    scrubber.addEventListener('opened', begin);
    scrubber.addEventListener('closed', begin);
    scrubber.addEventListener('shown', look);
    $('threshold').addEventListener('input', slide);
    $('boxes-on').addEventListener('change', () => showBoxes($('boxes-on').checked));
    document.addEventListener('keydown', pressKey);
    showBoxes(localStorage.getItem(BOXES) !== '0');
}
