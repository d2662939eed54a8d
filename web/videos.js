// The list of videos: cards on the front page, a narrow rail beside the viewer.
//
// `videos` fires "deleted" with the id.
import { framePath, getJson, request, videoPath } from './api.js';
import * as pictures from './pictures.js';
import { $, bytes, confirmed, copy, count, duration, element, icon, toast } from './ui.js';

export const videos = new EventTarget();
const PAGE = 60;
const shown = new Map(); // id -> {video, node}
let cursor = null;

export const facts = (video) => [
    duration(video.duration),
    `${count(video.frames)} frames`,
].join(' · ');

export const moreFacts = (video) => [
    video.width && `${video.width}×${video.height}`,
    video.codec,
    bytes(video.size),
].filter(Boolean).join(' · ');

export const title = (video) => video.name || video.id;

// Reads the list anew. Resolves to whether there is any video.
export async function refresh() {
    const answer = await getJson(`/api/v1/videos?limit=${PAGE}`, { cache: 'no-store' });
    const now = new Set(answer.videos.map((video) => video.id));
    for (const id of [...shown.keys()]) if (!now.has(id)) take(id);
    for (const video of answer.videos) put(video);
    cursor = answer.next;
    paint();
    return shown.size > 0;
}

export async function more() {
    const query = new URLSearchParams({ limit: PAGE, cursor });
    const answer = await getJson(`/api/v1/videos?${query}`, { cache: 'no-store' });
    for (const video of answer.videos) put(video);
    cursor = answer.next;
    paint();
}

export const find = (id) => shown.get(id)?.video;

export function mark(current) {
    for (const [id, { node }] of shown) {
        const link = node.querySelector('a');
        if (id === current) link.setAttribute('aria-current', 'page');
        else link.removeAttribute('aria-current');
    }
}

function paint() {
    const extra = cursor ? '+' : '';
    $('video-count').textContent = shown.size ? `${shown.size}${extra}` : '';
    $('more').hidden = !cursor;
    document.body.dataset.empty = String(shown.size === 0);
}

export function put(video) {
    const old = shown.get(video.id);
    if (old && old.video.created === video.created) return;
    if (old) take(video.id);
    const node = card(video);
    shown.set(video.id, { video, node });
    // The newest first, whatever order the pages come in.
    const after = [...$('video-list').children].find((other) => other.dataset.created < String(video.created));
    $('video-list').insertBefore(node, after || null);
    thumbnails.observe(node);
    paint();
}

function take(id) {
    thumbnails.unobserve(shown.get(id).node);
    shown.get(id).node.remove();
    shown.delete(id);
    pictures.forget(`${videoPath(id)}/`);
}

function card(video) {
    const name = title(video);
    const image = element('img', { alt: '', width: 160, height: 90, draggable: 'false' });
    const page = `${location.origin}/#/v/${video.id}`;
    const node = element('li', { class: 'video', 'data-id': video.id, 'data-created': video.created },
        element('a', { href: `#/v/${video.id}` },
            element('span', { class: 'thumb' }, image),
            element('span', { class: 'about' },
                element('strong', { class: 'name', title: name }, name),
                element('span', { class: 'facts' }, facts(video)),
                element('span', { class: 'facts minor' }, moreFacts(video)),
                element('code', { class: 'id', title: 'The id to use in the API' }, video.id))),
        element('div', { class: 'tools' },
            element('button', { class: 'icon', type: 'button', title: 'Copy link', 'aria-label': `Copy the link to ${name}`, onclick: () => copy(page, 'Link') }, icon('link')),
            element('button', { class: 'icon', type: 'button', title: 'Delete', 'aria-label': `Delete ${name}`, onclick: () => remove(video) }, icon('bin'))));
    return node;
}

const thumbnails = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
        thumbnails.unobserve(entry.target);
        fillThumbnail(entry.target);
    }
}, { rootMargin: '200px' });

async function fillThumbnail(node) {
    try {
        const picture = await pictures.wait(framePath(node.dataset.id, 0, { w: 160 }), 'list');
        const image = node.querySelector('img');
        image.src = pictures.blobUrl(picture);
        image.classList.add('on');
    } catch (error) {
        if (error.name !== 'AbortError') node.querySelector('.thumb').classList.add('none');
    }
}

async function remove(video) {
    const name = title(video);
    const text = `${facts(video)}. The file and its index are removed from the server for good.`;
    if (!await confirmed(`Delete ${name}?`, text)) return;
    try {
        await request(videoPath(video.id), { method: 'DELETE' });
    } catch (error) {
        if (error.status !== 404) return void toast(error.text);
    }
    if (shown.has(video.id)) take(video.id);
    paint();
    toast(`${name} deleted`);
    videos.dispatchEvent(new CustomEvent('deleted', { detail: video.id }));
}
