// Detection on the page: boxes on the frame that is shown, and their number over the whole video.
//
// What is drawn is always of the frame on the stage: another frame's boxes are taken away before its
// own are known. The chart is filled in the background, coarse first; zooming in makes it finer.
import * as boxes from './boxes.js';
import { Chart } from './chart.js';
import * as counts from './counts.js';
import { FLOOR, findings, pause } from './detections.js';
import * as models from './models.js';
import { $, clamp, count, element } from './ui.js';
import { scene, scrubber } from './viewer.js';

const POINTS = 1000;    // frames counted in a stretch
const REST_MS = 90;     // a frame passed over sooner is not asked for
const ZOOM_REST_MS = 400;
const DRAW_MS = 150;    // between two drawings of the chart while it fills
const THRESHOLD = 'saccade-threshold';
const BOXES = 'saccade-boxes';
const FOLDED = 'saccade-chart-folded';

const chart = new Chart($('chart'));
const state = { model: null, found: null, threshold: 0.25, hidden: new Set(), problem: null };
let looking = null;  // {n, control} of the frame being asked for
let counting = null; // {from, to, every, key, control} of the stretch being counted
let drawTimer;
let zoomTimer;

// --- what is in use -----------------------------------------------------------------------

// Another video or another model: everything starts anew, with what is kept of the two.
function begin() {
    const { video } = scene();
    cancel();
    state.model = models.chosen();
    state.found = video && state.model && findings(video, state.model.name);
    state.hidden.clear();
    $('detecting').hidden = !state.model;
    $('counts').hidden = !(state.model || models.expected());
    $('class-list').replaceChildren();
    boxes.clear();
    chart.clear();
    say('');
    if (!state.found) return;
    setThreshold(Number(localStorage.getItem(`${THRESHOLD}:${state.model.name}`)) || state.model.threshold);
    look();
    openChart();
}

function cancel() {
    looking?.control.abort();
    counting?.control.abort();
    looking = counting = null;
    clearTimeout(drawTimer);
    clearTimeout(zoomTimer);
    drawTimer = 0;
}

function setThreshold(value) {
    state.threshold = clamp(value, FLOOR, 0.95);
    $('threshold').value = state.threshold;
    $('threshold-value').textContent = state.threshold.toFixed(2);
}

// --- the frame that is shown --------------------------------------------------------------

const seen = (one) => one.score >= state.threshold && !state.hidden.has(one.class);

function say(text, trouble = false) {
    $('found-summary').textContent = text;
    $('found-summary').classList.toggle('trouble', trouble);
}

function showFrame(frame) {
    const detections = frame.detections.filter(seen);
    boxes.draw({ ...frame, detections });
    $('boxes').dataset.n = frame.n;
    say(summary(detections));
}

// 3 objects: bottle 2, person 1
function summary(detections) {
    if (!detections.length) return `Nothing found from ${state.threshold.toFixed(2)} up`;
    const names = new Map();
    for (const { label } of detections) names.set(label, (names.get(label) || 0) + 1);
    const parts = [...names].map(([label, times]) => `${label} ${times}`);
    return `${detections.length} ${detections.length === 1 ? 'object' : 'objects'}: ${parts.join(', ')}`;
}

// The boxes of the frame on the stage, at once where they are known.
function look() {
    const { shown } = scene();
    if (!state.found || shown === undefined || looking?.n === shown) return;
    const passing = Boolean(looking);
    looking?.control.abort();
    looking = null;
    const frame = state.found.get(shown);
    if (frame) return void showFrame(frame);
    boxes.clear();
    delete $('boxes').dataset.n;
    ask(shown, passing);
}

// passing: another frame was being asked for, so this one may be passed over as well.
async function ask(n, passing) {
    const mine = looking = { n, control: new AbortController() };
    const { signal } = mine.control;
    say('Looking…');
    try {
        if (passing) await pause(REST_MS, signal);
        await state.found.read({ from: n, to: n }, { signal, wait: () => say('The server is busy; asking again…') });
        if (looking !== mine) return;
        const frame = state.found.get(n);
        if (frame) showFrame(frame);
        else say('The server said nothing about this frame', true);
    } catch (error) {
        if (error.name !== 'AbortError') say(error.text || String(error), true);
    } finally {
        if (looking === mine) looking = null;
    }
}

// --- the chart ----------------------------------------------------------------------------

const folded = () => localStorage.getItem(FOLDED) === '1';

async function openChart() {
    $('counts').classList.toggle('folded', folded());
    $('fold').setAttribute('aria-expanded', String(!folded()));
    if (folded()) return;
    if (!await chart.load()) {
        tell('This build has no chart: run “npm ci”, then build again.');
        return;
    }
    drawChart();
    countOn();
}

function fold() {
    localStorage.setItem(FOLDED, folded() ? '0' : '1');
    counting?.control.abort();
    counting = null;
    tell('');
    if (state.found) openChart();
}

const tell = (text) => { $('counts-status').textContent = text; };

// The part to count next: of the stretch on the timeline, then of the whole video.
function nextPart() {
    const { times, from, span } = scene();
    const last = times.length - 1;
    const first = Math.max(0, before(times, from));
    const end = before(times, from + span);
    const part = counts.missing(state.found, first, end, counts.pace(end - first + 1, POINTS))
        || counts.missing(state.found, 0, last, counts.pace(times.length, POINTS));
    return part && { ...part, key: `${part.to} ${part.every}` };
}

// The last frame at or before that second.
function before(times, seconds) {
    let [low, high] = [0, times.length - 1];
    while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (times[middle] <= seconds) low = middle;
        else high = middle - 1;
    }
    return low;
}

async function countOn() {
    const part = state.found && !folded() && nextPart();
    if (part && counting?.key === part.key) return;
    counting?.control.abort();
    counting = null;
    if (!part) return void describe();
    const mine = counting = { ...part, control: new AbortController() };
    try {
        await state.found.read(part, {
            signal: mine.control.signal, each: (frame) => advance(mine, frame.n), wait: () => tell('The server is busy; going on soon…'),
        });
        if (counting !== mine) return;
        counting = null;
        drawChart();
        // A server that leaves frames out would be asked for them for ever.
        if (nextPart()?.from !== part.from) countOn();
    } catch (error) {
        if (error.name !== 'AbortError' && counting === mine) {
            counting = null;
            drawChart();
            tell(`Counting stopped. ${error.text || error}`);
        }
    }
}

function advance(part, n) {
    part.at = n;
    drawTimer ||= setTimeout(drawChart, DRAW_MS);
}

function drawChart() {
    clearTimeout(drawTimer);
    drawTimer = 0;
    if (!state.found || folded() || !chart.library) return;
    const { times, duration } = scene();
    const classes = counts.rank(state.found, state.threshold);
    const every = counts.pace(times.length, POINTS);
    const { hidden, threshold } = state;
    chart.draw(classes, counts.stack(state.found, { classes, hidden, threshold, every, times, duration }));
    showClasses(classes);
    describe();
}

function describe() {
    const { times } = scene();
    const most = counts.peak(state.found, state.threshold, state.hidden);
    const known = state.found.known().length;
    const text = most ? `Objects over time: ${known} of ${times.length} frames counted, at most ${most.count} at frame ${most.n}` : 'Objects over time: nothing counted yet';
    $('chart').setAttribute('aria-label', text);
    if (counting) tell(`Counting… ${Math.round(100 * clamp(((counting.at ?? counting.from) + 1) / (counting.to + 1), 0, 1))}\u202f%`);
    else tell(most ? `At most ${count(most.count)}, at frame ${count(most.n)}${pitch()}` : '');
}

// Every how many frames the stretch is counted, if not each.
function pitch() {
    const { times, from, span } = scene();
    const every = counts.pace(before(times, from + span) - before(times, from) + 1, POINTS);
    return every > 1 ? ` · every ${every}${every === 2 ? 'nd' : 'th'} frame; zoom in for more` : '';
}

function followTimeline() {
    if (!state.found) return;
    const { times, target, from, span } = scene();
    if (span !== chart.span || from !== chart.from) {
        clearTimeout(zoomTimer);
        zoomTimer = setTimeout(countOn, ZOOM_REST_MS);
    }
    chart.follow({ from, span, at: times[target] });
}

// --- classes ------------------------------------------------------------------------------

// A button a class hides and shows it; those that stay keep their element, and so the focus.
function showClasses(classes) {
    const old = new Map([...$('class-list').children].map((node) => [Number(node.dataset.class), node]));
    const nodes = classes.map((each) => old.get(each.class) || classButton(each));
    if (nodes.length !== old.size || nodes.some((node, i) => node !== $('class-list').children[i])) {
        $('class-list').replaceChildren(...nodes);
    }
    classes.forEach((each, i) => {
        nodes[i].lastChild.textContent = each.label;
        nodes[i].title = `${count(each.total)} in the frames counted`;
    });
}

function classButton(each) {
    const node = element('button', {
        type: 'button', 'data-class': each.class, 'aria-pressed': String(!state.hidden.has(each.class)),
        onclick: () => toggleClass(each.class, node),
    }, element('i', { 'aria-hidden': 'true' }), element('span', {}, each.label));
    if (each.class === counts.OTHER) node.classList.add('other');
    else node.style.setProperty('--hue', boxes.hue(each.class));
    return node;
}

function toggleClass(number, node) {
    if (!state.hidden.delete(number)) state.hidden.add(number);
    node.setAttribute('aria-pressed', String(!state.hidden.has(number)));
    refilter();
}

// --- controls -----------------------------------------------------------------------------

// The threshold or the classes changed: nothing is asked for, all is drawn anew.
function refilter() {
    const frame = state.found?.get(scene().shown);
    if (frame) showFrame(frame);
    drawTimer ||= setTimeout(drawChart, 30);
}

function slide() {
    setThreshold(Number($('threshold').value));
    localStorage.setItem(`${THRESHOLD}:${state.model.name}`, state.threshold);
    refilter();
}

function showBoxes(on) {
    $('boxes-on').checked = on;
    $('boxes').hidden = !on;
    localStorage.setItem(BOXES, on ? '1' : '0');
}

function pressKey(event) {
    const typing = event.target.closest('input:not([type="checkbox"], [type="range"]), select, textarea, dialog');
    if (event.key !== 'b' || typing || !state.found || event.ctrlKey || event.metaKey || event.altKey) return;
    showBoxes($('boxes').hidden);
}

export function start() {
    models.start();
    models.models.addEventListener('chosen', begin);
    scrubber.addEventListener('opened', begin);
    scrubber.addEventListener('closed', begin);
    scrubber.addEventListener('shown', look);
    scrubber.addEventListener('moved', followTimeline);
    $('threshold').addEventListener('input', slide);
    $('boxes-on').addEventListener('change', () => showBoxes($('boxes-on').checked));
    $('fold').addEventListener('click', fold);
    document.addEventListener('keydown', pressKey);
    showBoxes(localStorage.getItem(BOXES) !== '0');
}
