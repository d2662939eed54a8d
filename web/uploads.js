// The upload queue: one file at a time over the wire, the rest in line.
//
// XMLHttpRequest, because fetch tells nothing about the progress of a body. `uploads` fires
// "done" with the new video.
import { Problem, authorization, setReachable, ping, token, unlock } from './api.js';
import { $, bytes, duration, element, icon } from './ui.js';

export const uploads = new EventTarget();
const queue = []; // every upload whose row is on the page
let active = null;

export function add(files) {
    for (const file of files) {
        const upload = { file, state: 'waiting', row: null };
        upload.row = makeRow(upload);
        queue.push(upload);
        $('upload-list').append(upload.row.node);
        paint(upload);
    }
    next();
}

export const busy = () => active !== null;

function next() {
    $('uploads').hidden = queue.length === 0;
    if (active) return;
    active = queue.find((upload) => upload.state === 'waiting') || null;
    if (active) send(active);
}

function send(upload) {
    const { file } = upload;
    const used = token();
    const xhr = new XMLHttpRequest();
    Object.assign(upload, { xhr, state: 'sending', problem: null, sent: 0, marks: [] });
    xhr.open('POST', `/api/v1/videos?${new URLSearchParams({ name: file.name })}`);
    for (const [name, value] of Object.entries(authorization())) xhr.setRequestHeader(name, value);
    xhr.setRequestHeader('Content-Type', 'application/octet-stream');
    xhr.upload.onprogress = (event) => progress(upload, event.loaded);
    xhr.upload.onload = () => {
        upload.state = 'indexing';
        paint(upload);
    };
    xhr.onload = () => answered(upload, used);
    xhr.onerror = () => cut(upload);
    xhr.onabort = () => remove(upload);
    xhr.send(file);
    paint(upload);
}

async function answered(upload, used) {
    const { xhr } = upload;
    setReachable(true);
    if (xhr.status === 401 && await unlock(used)) return send(upload);
    if (xhr.status >= 200 && xhr.status < 300) {
        const video = JSON.parse(xhr.responseText);
        remove(upload);
        uploads.dispatchEvent(new CustomEvent('done', { detail: video }));
        return undefined;
    }
    return fail(upload, Problem.from(xhr.status, xhr.responseText));
}

// The connection broke. A server that refuses a body early may close before its answer is read,
// so whether it is still there tells the two cases apart.
async function cut(upload) {
    const problem = new Problem(0);
    if (await ping()) {
        problem.message = 'The server ended the upload';
        problem.advice = 'The file may be larger than its --max-upload. Otherwise try again.';
    }
    fail(upload, problem);
}

function fail(upload, problem) {
    upload.state = 'failed';
    upload.problem = problem;
    finish(upload);
    paint(upload);
}

function remove(upload) {
    const at = queue.indexOf(upload);
    if (at >= 0) queue.splice(at, 1);
    upload.row.node.remove();
    finish(upload);
}

function finish(upload) {
    if (active === upload) active = null;
    next();
}

function cancel(upload) {
    if (upload.state === 'sending' || upload.state === 'indexing') upload.xhr.abort();
    else remove(upload);
}

function retry(upload) {
    upload.state = 'waiting';
    paint(upload);
    next();
}

// Speed over the last four seconds: steady enough to read, quick enough to follow the network.
function progress(upload, sent) {
    const now = performance.now();
    upload.sent = sent;
    upload.marks.push({ now, sent });
    while (upload.marks.length > 2 && now - upload.marks[0].now > 4000) upload.marks.shift();
    paint(upload);
}

function speed({ marks }) {
    const [first, last] = [marks[0], marks.at(-1)];
    const elapsed = marks.length > 1 ? last.now - first.now : 0;
    return elapsed > 50 ? (last.sent - first.sent) / elapsed * 1000 : 0;
}

function describe(upload) {
    const size = bytes(upload.file.size);
    if (upload.state === 'waiting') return `${size}, waiting for its turn`;
    if (upload.state === 'indexing') return `${size} sent, indexing every frame…`;
    const rate = speed(upload);
    const left = rate ? `, ${bytes(rate)}/s, ${duration(Math.ceil((upload.file.size - upload.sent) / rate))} left` : '';
    return `${bytes(upload.sent)} of ${size}${left}`;
}

function makeRow(upload) {
    const { name } = upload.file;
    const bar = element('progress', { max: 100, value: 0, 'aria-label': `Upload of ${name}` });
    const status = element('p', { class: 'facts' });
    const again = element('button', { type: 'button', onclick: () => retry(upload) }, 'Try again');
    const stop = element('button', { type: 'button', class: 'icon', onclick: () => cancel(upload) }, icon('x'));
    const problem = element('div', { class: 'problem', role: 'alert', hidden: '' });
    const node = element('li', { class: 'upload' },
        element('p', { class: 'name' }, name), stop, bar, status, problem, again);
    return { node, bar, status, again, stop, problem };
}

function paint(upload) {
    const { row, problem } = upload;
    const failed = upload.state === 'failed';
    row.node.dataset.state = upload.state;
    row.bar.hidden = failed;
    row.status.hidden = failed;
    row.again.hidden = !(failed && problem.passing);
    row.problem.hidden = !failed;
    row.stop.setAttribute('aria-label', `${failed ? 'Dismiss' : 'Cancel'} ${upload.file.name}`);
    row.stop.title = failed ? 'Dismiss' : 'Cancel';
    if (failed) {
        const about = problem.field ? ` (${problem.field})` : '';
        row.problem.replaceChildren(
            element('strong', {}, problem.message + about),
            element('p', {}, problem.detail),
            element('p', { class: 'advice' }, problem.advice));
        return;
    }
    row.status.textContent = describe(upload);
    if (upload.state === 'indexing') row.bar.removeAttribute('value');
    else row.bar.value = upload.state === 'sending' ? 100 * upload.sent / Math.max(upload.file.size, 1) : 0;
}
