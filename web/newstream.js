// The form that starts a live stream, made of the server's own description of one.
import { getJson } from './api.js';
import { SchemaForm } from './form.js';
import * as streams from './streams.js';
import { element, icon, toast } from './ui.js';

const LOADING_MS = 1000; // between two tries while a model is being loaded
const FIRST = ['input', 'id', 'model', 'track', 'overlay', 'outputs'];
const EXAMPLES = [
    ['A camera', 'rtsp://user:password@192.168.1.20:554/stream'],
    ['Somebody who publishes (WHIP)', 'whip:'],
    ['Test picture', 'testsrc:size=1280x720,rate=25'],
];

const models = async () => {
    const { models: all } = await getJson('/api/v1/models', { cache: 'no-store' });
    return all.map(({ name }) => name);
};

const videos = async () => {
    const answer = await getJson('/api/v1/videos?limit=20', { cache: 'no-store' });
    return answer.videos.map(({ id, name }) => [`Video ${name || id}`, `video:${id}`]);
};

// Resolves to the stream that was made, or null.
export async function openForm() {
    let schema, names, stored;
    try {
        [schema, names, stored] = await Promise.all([streams.schema(), models().catch(() => []), videos().catch(() => [])]);
    } catch (error) {
        toast(error.text || String(error));
        return null;
    }
    return new Promise((resolve) => new Dialog(schema, names, stored, resolve));
}

class Dialog {
    constructor(schema, names, stored, resolve) {
        this.made = null;
        this.form = new SchemaForm(schema, { first: FIRST, choices: names.length ? { model: names } : {} });
        this.status = element('p', { class: 'model-status', role: 'status' });
        this.submit = element('button', { type: 'submit', class: 'primary' }, 'Start');
        this.node = element('dialog', { class: 'wide', 'aria-labelledby': 'new-stream-title' },
            element('form', { novalidate: '', onsubmit: (event) => this.send(event) },
                element('h2', { id: 'new-stream-title' }, 'New stream'),
                element('p', { class: 'examples' }, 'Fill in: ', ...[...EXAMPLES, ...stored].map(([label, input]) =>
                    element('button', { type: 'button', onclick: () => this.fillIn(input) }, label))),
                this.form.node, this.status,
                element('div', { class: 'row' }, this.submit,
                    element('button', { type: 'button', onclick: () => this.node.close() }, 'Cancel'))),
            element('button', { type: 'button', class: 'icon shut', 'aria-label': 'Close', onclick: () => this.node.close() }, icon('x')));
        this.node.addEventListener('close', () => {
            this.node.remove();
            resolve(this.made);
        });
        document.body.append(this.node);
        this.node.showModal();
        this.form.fields.get('input').control.focus();
    }

    fillIn(input) {
        this.form.set('input', input);
        this.form.clear('input');
        if (input.startsWith('video:')) this.form.set('loop', true);
    }

    async send(event) {
        event.preventDefault();
        this.submit.disabled = true;
        this.tell('Starting…');
        try {
            this.made = await this.add(this.form.value());
            toast(`${this.made.id} is starting`);
            this.node.close();
        } catch (error) {
            const placed = this.form.complain(error);
            this.tell(placed ? 'One thing has to be corrected first.' : error.text || String(error), true);
        } finally {
            this.submit.disabled = false;
        }
    }

    // A model that is being loaded is worth waiting for, as long as the form is open.
    async add(spec) {
        for (;;) {
            try {
                return await streams.add(spec);
            } catch (error) {
                if (error.status !== 503 || error.field !== 'model' || !this.node.open) throw error;
                this.tell(`${spec.model} is being loaded, one moment…`);
                await new Promise((done) => { setTimeout(done, LOADING_MS); });
            }
        }
    }

    tell(text, failed = false) {
        this.status.textContent = text;
        this.status.dataset.state = failed ? 'failed' : '';
    }
}
