// Live streams as the server has them: paths, words for their states, making and ending them.
import { Problem, getJson, request } from './api.js';
import { confirmed, element, toast } from './ui.js';

export const PATH = '/api/v1/streams';
export const streamPath = (id) => `${PATH}/${encodeURIComponent(id)}`;

const STATES = {
    starting: 'Starting', running: 'Live', reconnecting: 'Source lost', waiting: 'Waiting',
    stopping: 'Stopping', ended: 'Ended', failed: 'Failed',
};

export async function list(signal) {
    const streams = [];
    for (let cursor = ''; cursor !== null;) {
        const query = new URLSearchParams(cursor && { cursor });
        const page = await getJson(`${PATH}?${query}`, { signal, cache: 'no-store' });
        streams.push(...page.streams);
        cursor = page.next;
    }
    return streams;
}

export const get = (id, signal) => getJson(streamPath(id), { signal, cache: 'no-store' });

export function add(spec) {
    return request(PATH, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(spec) })
        .then((answer) => answer.json());
}

// What the server's form of a stream is, from its own description of itself.
export async function schema() {
    const api = await getJson('/openapi.json');
    const found = api.paths[PATH]?.post?.requestBody?.content?.['application/json']?.schema;
    if (!found?.properties) throw new Problem(501, { title: 'This server does not describe its streams' });
    return found;
}

// Asks first. Resolves to whether it is gone.
export async function remove(id) {
    if (!await confirmed(`End ${id}?`, 'It stops for everybody who watches it, and is not started again. Files that it wrote stay.', 'End the stream')) return false;
    try {
        await request(streamPath(id), { method: 'DELETE' });
    } catch (error) {
        if (error.status !== 404) {
            toast(error.text || String(error));
            return false;
        }
    }
    toast(`${id} has ended`);
    return true;
}

// The state as a word in a chip: {node, tell(state)}.
export function stateChip() {
    const node = element('span', { class: 'state' });
    const tell = (state) => {
        node.dataset.state = state;
        node.textContent = STATES[state] || state;
    };
    return { node, tell };
}

// Why it is not running, in one line; '' where it is.
export function why({ state, reason, retry_in: retry }) {
    if (state === 'running') return '';
    const again = retry ? ` Next try in ${Math.ceil(retry)} s.` : '';
    const text = reason || { starting: 'Connecting to its source, or loading its model.', ended: 'Its source has ended.' }[state] || '';
    return `${text}${again}`;
}

// bottle on rtsp://camera: what it is, in a few words.
export function about({ input, model, track, overlay, camera }) {
    const parts = [input, model !== undefined && (model || 'default model'), track && 'tracks', camera && 'virtual camera', overlay && 'boxes drawn'];
    return parts.filter(Boolean).join(' · ');
}
