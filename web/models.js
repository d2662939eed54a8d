// The detection models of the server: the picker, and the form that adds one.
//
// `models` fires "chosen" when the model in use changed: another one, none, or it became ready; and "listed" when
// the list was read.
import { Problem, getJson, postForm, request } from './api.js';
import { $, bytes, confirmed, element, icon, toast } from './ui.js';

const PATH = '/api/v1/models';
const NAME = 'saccade-model';
const LOOK_MS = 700; // between two looks while a model is loading

export const models = new EventTarget();
let list = [];
let wanted = localStorage.getItem(NAME) || '';
let used = ''; // name and generation of the model that "chosen" told of last
let lookTimer;

// A model serves when it is ready, and goes on serving while a new file for its name is loaded.
export const chosen = () => list.find((model) => model.name === wanted && model.serving) || null;

export const all = () => list;

// The model that was asked for, '' = none; whether it is there is known once the list is.
export const name = () => wanted;

// Whether a model will be in use once the list is here: room is kept for it.
export const expected = () => Boolean(wanted);

export async function refresh() {
    clearTimeout(lookTimer);
    const answer = await getJson(PATH, { cache: 'no-store' });
    list = answer.models;
    if (list.some((model) => model.state === 'loading')) {
        lookTimer = setTimeout(() => refresh().catch(() => {}), LOOK_MS);
    } else if (wanted && !list.some((model) => model.name === wanted)) wanted = '';
    paint();
    models.dispatchEvent(new Event('listed'));
}

// For now only: an address that somebody sent does not change what the user chose.
export function use(model) {
    if (model === wanted) return;
    wanted = model;
    paint();
}

function choose(model) {
    if (model) localStorage.setItem(NAME, model);
    else localStorage.removeItem(NAME);
    wanted = model;
    paint();
}

function paint() {
    const options = [['', 'No detection', false], ...list.map(asOption)];
    const text = JSON.stringify(options);
    // Replacing the options would close a list that is open.
    if ($('model').dataset.options !== text) {
        $('model').dataset.options = text;
        $('model').replaceChildren(...options.map(([value, label, off]) => element('option', { value, disabled: off && '' }, label)));
    }
    $('model').value = wanted;
    $('model-facts').textContent = about(list.find((model) => model.name === wanted));
    $('model-facts').title = chosen()?.provider_reason || '';
    $('model-list').replaceChildren(...list.map(row));
    const now = chosen() ? `${wanted} ${chosen().generation}` : '';
    if (used !== now) {
        used = now;
        models.dispatchEvent(new Event('chosen'));
    }
}

function asOption({ name, state, reason, serving }) {
    if (serving) return [name, name, false];
    return [name, state === 'loading' ? `${name}: loading…` : `${name}: failed, ${shorten(reason)}`, true];
}

const shorten = (text) => (text.length > 60 ? `${text.slice(0, 59)}…` : text);

function about(model) {
    if (!model) return list.length ? '' : 'No models yet. Add one with the button above.';
    if (!model.serving) return model.state === 'loading' ? 'Loading, one moment…' : `Failed: ${model.reason}`;
    const newer = { ready: '', loading: ' · its new file is being loaded', failed: ` · its new file failed: ${model.reason}` }[model.state];
    return `${model.family} · ${model.width}×${model.height} · ${model.classes} classes · ${model.device}${newer}`;
}

function row(model) {
    return element('li', {},
        element('p', {}, element('strong', {}, model.name), ' ', element('span', { class: 'facts' }, about(model))),
        element('button', { class: 'icon', type: 'button', title: 'Delete', 'aria-label': `Delete ${model.name}`, onclick: () => remove(model.name) }, icon('bin')));
}

// Asks first. complain(text) is called where it was refused.
export async function remove(name, complain = (text) => tell(text, 'failed')) {
    if (!await confirmed(`Delete ${name}?`, 'Its files are removed from the server.')) return;
    try {
        await request(`${PATH}/${encodeURIComponent(name)}`, { method: 'DELETE' });
        await refresh();
    } catch (error) {
        complain(error.text || String(error));
    }
}

export const labels = (name) => getJson(`${PATH}/${encodeURIComponent(name)}`).then((model) => model.labels || []);

// --- the form -----------------------------------------------------------------------------

const ADVICE = {
    413: 'Raise --models-max-upload on the server.',
    422: 'Correct that, or add another file.',
    507: 'Free some disk space, or raise --models-memory on the server.',
};
let sending = null; // AbortController of the upload under way

function tell(text, state = '') {
    $('model-status').textContent = text;
    $('model-status').dataset.state = state;
}

function busy(now) {
    $('model-progress').hidden = !now;
    for (const node of $('model-form').querySelectorAll('input, [type="submit"]')) node.disabled = now;
}

// yolox_nano for /home/me/yolox nano.onnx
function suggestName() {
    const file = $('model-file').files[0];
    if (!file || $('model-name').value) return;
    $('model-name').value = file.name.replace(/\.onnx$/i, '').replace(/^\.+|[^A-Za-z0-9_.-]+/g, '_').slice(0, 64);
}

async function submit(event) {
    event.preventDefault();
    const form = new FormData();
    form.set('name', $('model-name').value);
    const labels = $('model-labels').files[0];
    if (labels) form.set('labels', labels);
    form.set('file', $('model-file').files[0]);
    sending = new AbortController();
    busy(true);
    try {
        await add(form, sending.signal);
    } catch (error) {
        error.advice = ADVICE[error.status] || error.advice;
        if (error.name !== 'AbortError') tell(error.text || String(error), 'failed');
    } finally {
        busy(false);
        sending = null;
    }
}

async function add(form, signal) {
    const size = bytes($('model-file').files[0].size);
    const progress = (part) => {
        $('model-progress').value = part;
        tell(part < 1 ? `${bytes($('model-file').files[0].size * part)} of ${size}` : `${size} sent, loading the model…`);
        if (part >= 1) $('model-progress').removeAttribute('value');
    };
    progress(0);
    const { name } = await postForm(PATH, form, { progress, signal });
    progress(1); // a small file may be sent before any progress was told
    const model = await settled(name, signal);
    if (model.state === 'failed') throw new Problem(422, { title: `${name} cannot be used`, detail: model.reason });
    choose(name);
    $('model-form').reset();
    tell('');
    $('model-dialog').close();
    toast(`${name} is ready`);
}

// The model once it is ready or failed.
async function settled(name, signal) {
    for (;;) {
        await refresh();
        signal.throwIfAborted();
        const model = list.find((each) => each.name === name);
        if (!model) throw new Problem(404, { title: `${name} is gone` });
        if (model.state !== 'loading') return model;
        await new Promise((done) => { setTimeout(done, LOOK_MS); });
    }
}

export function openDialog() {
    tell('');
    $('model-dialog').showModal();
    refresh().catch((error) => tell(error.text || String(error), 'failed'));
}

export function start() {
    $('model').addEventListener('change', () => choose($('model').value));
    $('add-model').addEventListener('click', openDialog);
    $('model-form').addEventListener('submit', submit);
    $('model-file').addEventListener('change', suggestName);
    $('model-dialog').addEventListener('close', () => sending?.abort());
    $('model-close').addEventListener('click', () => $('model-dialog').close());
}
