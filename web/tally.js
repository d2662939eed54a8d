// Objects over time: counts the frames of the video in the background and keeps the chart's part of
// the page, with its classes, up to date.
//
// The whole video is counted coarsely; what the timeline is zoomed to comes first, and finer.
import { tint } from './boxes.js';
import { Chart } from './chart.js';
import * as counts from './counts.js';
import { $, clamp, count, element } from './ui.js';
import { scene, scrubber } from './viewer.js';

const POINTS = 1000;    // frames counted in a stretch, at most
const ZOOM_REST_MS = 400;
const DRAW_MS = 150;    // between two drawings while the chart fills
const FOLDED = 'saccade-chart-folded';

const chart = new Chart($('chart'));
let found = null;    // Findings of the video and the model in use, null = none
let filter = null;
let filtered = null; // told when a class was hidden or shown
let counting = null; // {from, to, every, at, control} of the part being counted
let drawTimer;
let zoomTimer;

const folded = () => localStorage.getItem(FOLDED) === '1';
const active = () => found && chart.library && !folded();
const tell = (text) => { $('counts-status').textContent = text; };

export function begin(newFound, newFilter) {
    end();
    [found, filter] = [newFound, newFilter];
    open();
}

export function end() {
    stop();
    clearTimeout(zoomTimer);
    found = null;
    chart.clear();
    $('class-list').replaceChildren();
    tell('');
}

// The threshold or the classes changed.
export function redraw() {
    drawTimer ||= setTimeout(draw, 30);
}

function stop() {
    counting?.control.abort();
    counting = null;
    clearTimeout(drawTimer);
    drawTimer = 0;
}

async function open() {
    $('counts').classList.toggle('folded', folded());
    $('fold').setAttribute('aria-expanded', String(!folded()));
    if (folded()) return;
    if (!await chart.load()) return void tell('This build has no chart: run “npm ci”, then build again.');
    draw();
    goOn();
}

function fold() {
    localStorage.setItem(FOLDED, folded() ? '0' : '1');
    stop();
    tell('');
    if (found) open();
}

// --- counting -----------------------------------------------------------------------------

// Numbers of the first and the last frame on the timeline.
function stretch() {
    const { frameAt, from, span } = scene();
    return [frameAt(from), frameAt(from + span)];
}

const pace = ([first, last]) => counts.pace(last - first + 1, POINTS);

// The part to count next: of what is on the timeline, then of the whole video.
function nextPart() {
    const whole = [0, scene().times.length - 1];
    return counts.missing(found, ...stretch(), pace(stretch()))
        || counts.missing(found, ...whole, pace(whole));
}

async function goOn() {
    if (!active()) return;
    const part = nextPart();
    if (part && counting && part.to === counting.to && part.every === counting.every) return;
    stop();
    if (!part) return void describe();
    const mine = counting = { ...part, at: part.from, control: new AbortController() };
    try {
        await found.read(part, {
            signal: mine.control.signal, each: advance, wait: () => tell('The server is busy; going on soon…'),
        });
        if (counting !== mine) return;
        stop();
        draw();
        // A server that leaves a frame out would be asked for it for ever.
        if (nextPart()?.from !== part.from) goOn();
    } catch (error) {
        if (counting !== mine) return;
        stop();
        draw();
        tell(`Counting stopped. ${error.text || error}`);
    }
}

function advance({ n }) {
    if (counting) counting.at = n;
    drawTimer ||= setTimeout(draw, DRAW_MS);
}

// --- drawing ------------------------------------------------------------------------------

function draw() {
    clearTimeout(drawTimer);
    drawTimer = 0;
    if (!active()) return;
    const { times, duration, target, from, span } = scene();
    const classes = counts.rank(found, filter);
    filter.named = new Set(classes.map((each) => each.class));
    const every = counts.pace(times.length, POINTS);
    chart.follow({ from, span, at: times[target] }); // nobody may have moved since it was begun
    chart.draw(classes, counts.stack(found, { classes, filter, every, times, duration }));
    showClasses(classes);
    describe();
}

function describe() {
    const most = counts.peak(found, filter);
    const text = most ? `${found.known().length} of ${scene().times.length} frames counted, at most ${most.count} at frame ${most.n}` : 'nothing counted yet';
    $('chart').setAttribute('aria-label', `Objects over time: ${text}`);
    if (counting) tell(`Counting… ${Math.round(100 * clamp(counting.at / counting.to, 0, 1))}\u202f%`);
    else tell(most ? `At most ${count(most.count)}, at frame ${most.n}${coarseness()}` : '');
}

function coarseness() {
    const every = pace(stretch());
    return every > 1 ? ` · every ${every}${every === 2 ? 'nd' : 'th'} frame; zoom in for more` : '';
}

function follow() {
    if (!found) return;
    const { times, target, from, span } = scene();
    if (span !== chart.span || from !== chart.from) {
        clearTimeout(zoomTimer);
        zoomTimer = setTimeout(goOn, ZOOM_REST_MS);
    }
    chart.follow({ from, span, at: times[target] });
}

// --- classes ------------------------------------------------------------------------------

// A button a class hides and shows it; those that stay keep their element, and so the focus.
function showClasses(classes) {
    const list = $('class-list');
    const old = new Map([...list.children].map((node) => [Number(node.dataset.class), node]));
    const nodes = classes.map((each) => old.get(each.class) || classButton(each.class));
    if (nodes.length !== old.size || nodes.some((node, i) => node !== list.children[i])) {
        const focused = document.activeElement;
        list.replaceChildren(...nodes);
        if (nodes.includes(focused)) focused.focus();
    }
    classes.forEach(({ label, total }, i) => {
        nodes[i].lastChild.textContent = label;
        nodes[i].title = `${count(total)} in the frames counted; click to hide or show`;
    });
}

function classButton(number) {
    const node = element('button', {
        type: 'button', 'data-class': number, 'aria-pressed': String(!filter.hidden.has(number)),
        onclick: () => toggle(number, node),
    }, element('i', { 'aria-hidden': 'true' }), element('span'));
    if (number === counts.OTHER) node.classList.add('other');
    else tint(node, number);
    return node;
}

function toggle(number, node) {
    if (!filter.hidden.delete(number)) filter.hidden.add(number);
    node.setAttribute('aria-pressed', String(!filter.hidden.has(number)));
    filtered();
}

// After the server was away.
export const again = goOn;

export function start(onFiltered) {
    filtered = onFiltered;
    scrubber.addEventListener('moved', follow);
    $('fold').addEventListener('click', fold);
}
