// The models of the server: what each is, what it runs on and why, adding and deleting.
import { pause } from './detections.js';
import * as models from './models.js';
import { bytes, element, icon, toast } from './ui.js';

const LOOK_MS = 4000;
const STATES = { ready: 'Ready', loading: 'Loading', failed: 'Failed' };
const ORIGINS = { 'built-in': 'comes with the program', option: 'given by an option', folder: 'from the folder models/', upload: 'uploaded' };

export function open(node) {
    const shelf = new Shelf(node);
    return () => shelf.close();
}

class Shelf {
    constructor(node) {
        this.control = new AbortController();
        this.count = element('span', { class: 'of' });
        this.trouble = element('p', { class: 'trouble', role: 'alert', hidden: '' });
        this.list = element('ul', { class: 'shelf-list', 'aria-label': 'Models' });
        this.empty = element('p', { class: 'sub', hidden: '' }, 'There are no models yet. Add an ONNX file of a known family, or fetch one on the server: ', element('code', {}, 'saccade models fetch yolox_nano'));
        this.open = new Set(); // names of models whose classes are shown
        node.replaceChildren(element('div', { class: 'head' }, element('h1', {}, 'Models ', this.count),
            element('button', { class: 'primary', type: 'button', onclick: () => models.openDialog() }, icon('plus'), 'Add a model')),
        this.trouble, this.empty, this.list);
        const { signal } = this.control;
        models.models.addEventListener('listed', () => this.paint(), { signal });
        this.watch(signal);
    }

    close() {
        this.control.abort();
    }

    async watch(signal) {
        while (!signal.aborted) {
            if (!document.hidden) await models.refresh().then(() => this.complain(''), (error) => this.complain(error.status ? error.text : ''));
            await pause(LOOK_MS, signal).catch(() => {});
        }
    }

    complain(text) {
        this.trouble.hidden = !text;
        this.trouble.textContent = text;
    }

    // Drawn anew only when something is new: a click needs its button to stay.
    paint() {
        const list = models.all();
        const text = JSON.stringify(list);
        if (this.shown === text) return;
        this.shown = text;
        this.count.textContent = list.length || '';
        this.empty.hidden = list.length > 0;
        this.list.replaceChildren(...list.map((model) => this.card(model)));
    }

    card(model) {
        const state = element('span', { class: 'state', 'data-state': { ready: 'running', failed: 'failed' }[model.state] || '' }, STATES[model.state] || model.state);
        return element('li', { class: 'model', 'data-name': model.name },
            element('div', { class: 'model-head' }, element('h2', {}, model.name), state,
                model.default ? element('span', { class: 'state', title: 'Used where no model is named' }, 'Default') : null,
                element('button', { class: 'icon', type: 'button', title: 'Delete', 'aria-label': `Delete ${model.name}`, onclick: () => models.remove(model.name, toast) }, icon('bin'))),
            model.reason ? element('p', { class: 'wrong' }, model.reason) : null,
            element('dl', { class: 'facts-list' }, ...facts(model).flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)])),
            model.serving ? this.classes(model) : null);
    }

    // Asked for when they are opened.
    classes({ name, classes, generation }) {
        const list = element('p', { class: 'class-names' });
        const node = element('details', { class: 'more' }, element('summary', {}, `${classes} classes`), list);
        const fill = () => models.labels(name).then((names) => { list.textContent = names.join(', ') || 'They have no names.'; }, (error) => { list.textContent = error.text || String(error); });
        const key = `${name} ${generation}`;
        node.addEventListener('toggle', () => {
            if (node.open) fill();
            if (node.open) this.open.add(key);
            else this.open.delete(key);
        });
        node.open = this.open.has(key);
        return node;
    }
}

function facts(model) {
    const rows = [['File', `${bytes(model.bytes)} · ${ORIGINS[model.origin] || model.origin}`]];
    if (!model.serving) return rows;
    return [...rows,
        ['Family', `${model.family} · ${model.width}×${model.height}${model.max_batch > 1 ? ` · batches of ${model.max_batch}` : ''}${model.half ? ' · half precision' : ''}`],
        ['Threshold', String(model.threshold)],
        ['Loaded in', `${Math.round(model.load_ms)} ms, warm after ${Math.round(model.warm_ms)} ms more`],
        ['Runs on', model.lanes > 1 ? `${model.device}, ${model.lanes} pictures side by side` : model.device],
        ['Why', sentences(model.provider_reason)]];
}

// Why no better one: a line each.
export function sentences(reason) {
    const parts = (reason || '').split('; ').filter(Boolean);
    return element('ul', { class: 'reasons' }, ...(parts.length ? parts : ['nothing was said']).map((part) => element('li', {}, part)));
}
