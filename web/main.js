// The page's start: where the address points, what is dropped, and whether the server is there.
import * as api from './api.js';
import * as detect from './detect.js';
import * as models from './models.js';
import * as places from './places.js';
import * as uploads from './uploads.js';
import { $, copy, toast } from './ui.js';
import * as videos from './videos.js';
import * as viewer from './viewer.js';

const RETRY_MS = 2000;

// #/ is the list, #/v/ID?n=123&model=pitch a frame, and the model that looks at it; the rest is known to
// places.js.
function place() {
    const match = /^#\/v\/([A-Za-z0-9_-]{1,64})(?:\?(.*))?$/.exec(location.hash);
    const other = places.find(location.hash);
    if (!match) return other ? { view: 'place', other } : { view: 'home' };
    const query = new URLSearchParams(match[2]);
    const n = Number(query.get('n'));
    return { view: 'viewer', id: match[1], n: Number.isInteger(n) && n > 0 ? n : 0, model: query.get('model') };
}

function markPlace(name) {
    for (const link of document.querySelectorAll('[data-place]')) {
        if (link.dataset.place === name) link.setAttribute('aria-current', 'page');
        else link.removeAttribute('aria-current');
    }
}

async function route() {
    const { view, id, other } = place();
    document.body.dataset.view = view;
    markPlace(other ? places.nav(other.name) : 'library');
    $('viewer').hidden = view !== 'viewer';
    $('place').hidden = view !== 'place';
    videos.mark(id);
    if (view !== 'viewer') {
        viewer.close();
        $('main').removeAttribute('aria-busy');
    }
    if (view === 'place') return void places.open(other);
    places.close();
    if (view === 'viewer') return void showFrame(place());
    document.title = 'Saccade';
}

async function showFrame({ id, n, model }) {
    if (model !== null) models.use(model);
    try {
        const moved = viewer.current() !== id;
        // What comes first on an empty page comes at its place: nothing moves afterwards.
        $('main').setAttribute('aria-busy', String(!viewer.current()));
        await viewer.open(id, n);
        document.title = `${$('viewer-name').textContent} · Saccade`;
        if (moved) scrollTo(0, 0);
    } catch (error) {
        if (error.name === 'AbortError') return; // what is opened instead is not there yet: it shows itself
        missing(id, error);
    }
    $('main').removeAttribute('aria-busy');
}

function missing(id, error) {
    if (error.status !== 404) return void say(error.text || String(error));
    toast(`There is no video “${id}” here`);
    location.hash = '#/';
    return undefined;
}

// --- notices ------------------------------------------------------------------------------

function say(text, action, act) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = action || 'Dismiss';
    button.onclick = act || hush;
    $('notice').replaceChildren(text, ' ', button);
    $('notice').hidden = false;
}

const hush = () => { $('notice').hidden = true; };

let retryTimer;
api.server.addEventListener('lost', () => {
    say('The server does not answer. Check that “saccade serve” is still running; this page goes on by itself when it is back.', 'Try now', api.ping);
    clearInterval(retryTimer);
    retryTimer = setInterval(api.ping, RETRY_MS);
});
api.server.addEventListener('found', () => {
    clearInterval(retryTimer);
    hush();
    load();
    viewer.again();
    detect.again();
});
api.server.addEventListener('locked', () => {
    say('This server asks for a token before it shows anything.', 'Enter the token', () => {
        api.allowQuestions();
        hush();
        load();
    });
});

async function load() {
    models.refresh().catch(() => {});
    try {
        await videos.refresh();
    } catch (error) {
        if (error.status && error.status !== 401) say(error.text, 'Try again', () => { hush(); load(); });
        return;
    }
    if (place().view === 'viewer' && viewer.current() !== place().id) route();
    videos.mark(place().id);
}

// --- uploads ------------------------------------------------------------------------------

function take(files) {
    if (!files.length) return;
    if (place().view === 'place') location.hash = '#/'; // where their progress is seen
    uploads.add(files);
}

uploads.uploads.addEventListener('done', ({ detail }) => {
    videos.put(detail);
    // One file dropped on the front page is one that the user wants to look at.
    if (place().view === 'home' && !uploads.busy()) location.hash = `#/v/${detail.id}`;
    else toast(`${videos.title(detail)} is ready`);
});

videos.videos.addEventListener('deleted', ({ detail }) => {
    if (viewer.current() === detail) location.hash = '#/';
});

let depth = 0; // dragenter and dragleave come for every element that is crossed
const carriesFiles = (event) => [...event.dataTransfer.types].includes('Files');

function drag(event) {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth += { dragenter: 1, dragleave: -1 }[event.type] || 0;
    if (event.type === 'drop') {
        depth = 0;
        take(event.dataTransfer.files);
    }
    document.body.classList.toggle('dragging', depth > 0);
}

for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) addEventListener(type, drag);
for (const id of ['pick', 'choose']) $(id).addEventListener('click', () => $('files').click());
$('files').addEventListener('change', () => {
    take($('files').files);
    $('files').value = '';
});
addEventListener('beforeunload', (event) => {
    if (uploads.busy()) event.preventDefault();
});

function tellTheme(look) {
    const text = `Turn to the ${look} look`;
    $('theme').title = text;
    $('theme').setAttribute('aria-label', text);
}
const isDark = () => matchMedia($('dark').media).matches;
const otherLook = () => tellTheme(isDark() ? 'light' : 'dark');
document.addEventListener('theme', otherLook);
otherLook();
$('theme').addEventListener('click', () => window.turnTheme());

// The address names what is shown, so a link within the page cannot change it.
document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    $('main').focus();
});

const command = `curl -X POST -T clip.mp4 "${location.origin}/api/v1/videos?id=clip"`;
$('curl').textContent = command;
$('copy-curl').addEventListener('click', () => copy(command, 'Command'));
$('more').addEventListener('click', () => videos.more().catch((error) => say(error.text)));

viewer.start();
detect.start();
addEventListener('hashchange', route);
route();
load();
