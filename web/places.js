// The places of the site besides the library: each is a module of its own, fetched when it is first asked
// for. A module's open(node, id) fills the node and returns what ends it again.
import { $, element } from './ui.js';

const PLACES = {
    live: { title: 'Live', load: () => import('./wall.js') },
    stream: { title: 'Live', nav: 'live', load: () => import('./stream.js') },
    models: { title: 'Models', load: () => import('./shelf.js') },
    system: { title: 'System', load: () => import('./machine.js') },
};

const ROUTES = [
    [/^#\/live$/, 'live'],
    [/^#\/live\/([A-Za-z0-9_-]{1,64})$/, 'stream'],
    [/^#\/models$/, 'models'],
    [/^#\/system$/, 'system'],
];

let opened = { key: '', close: null };

// {name, id} for an address of one of these places, else null.
export function find(hash) {
    const path = hash.replace(/\?.*$/, '');
    for (const [pattern, name] of ROUTES) {
        const match = pattern.exec(path);
        if (match) return { name, id: match[1] };
    }
    return null;
}

export const nav = (name) => PLACES[name].nav || name;

export async function open({ name, id }) {
    const key = `${name}/${id || ''}`;
    if (opened.key === key) return;
    close();
    const mine = opened = { key, close: null };
    document.title = `${id || PLACES[name].title} · Saccade`;
    $('place').dataset.name = name;
    try {
        const module = await PLACES[name].load();
        if (opened === mine) mine.close = module.open($('place'), id);
    } catch (error) {
        opened.key = ''; // the next try is a new one
        $('place').replaceChildren(element('p', { class: 'trouble', role: 'alert' }, `This page could not be loaded: ${error.message}. Reload to try again.`));
    }
}

export function close() {
    opened.close?.();
    opened = { key: '', close: null };
    $('place').replaceChildren();
}
