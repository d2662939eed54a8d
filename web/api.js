// Talking to the server: requests, problem documents, the token, and whether it answers at all.
//
// `server` fires "lost" when a request got no answer, "found" when one is answered again, and
// "locked" when the user would not give a token.
import { $, ask } from './ui.js';

const TOKEN = 'saccade-token';
export const server = new EventTarget();
let reachable = true;
let locked = false;

export const videoPath = (id) => `/api/v1/videos/${encodeURIComponent(id)}`;

export function framePath(id, n, picture = {}) {
    const query = new URLSearchParams({ n });
    for (const [key, value] of Object.entries(picture)) if (value) query.set(key, value);
    return `${videoPath(id)}/frame?${query}`;
}

const ADVICE = {
    0: 'Check that “saccade serve” is still running, then try again.',
    400: 'Correct the request and try again.',
    401: 'Give the token that the server was started with.',
    403: 'Give the token that the server was started with.',
    404: 'It may have been deleted. Go back to the list.',
    408: 'The connection was too slow. Try again.',
    409: 'Delete the other one first, or give this one another id.',
    411: 'Choose the file again.',
    413: 'Raise --max-upload on the server, or upload a shorter file.',
    415: 'Convert it to a common format first: ffmpeg -i FILE out.mp4',
    416: 'Choose a frame within the video.',
    422: 'Check the file: does it play elsewhere, and is it complete?',
    429: 'Wait a moment, then try again.',
    503: 'The server is busy. Wait a moment, then try again.',
    501: '“saccade doctor” on the server says more.',
    507: 'Free some disk space on the server, then try again.',
};

// Where the problem lies with the model that was asked for.
const MODEL_ADVICE = {
    404: 'It may have been deleted. Choose another one.',
    409: 'Choose another model, or add this one again.',
    503: 'Wait a moment, then try again.',
};

// What went wrong, in the server's words where it had any (RFC 9457), and what to do about it.
export class Problem extends Error {
    constructor(status, { title, detail, field } = {}) {
        super(title || (status ? `The server answered ${status}` : 'The server does not answer'));
        this.status = status;
        this.detail = detail || '';
        this.field = field || '';
        this.advice = (field === 'model' && MODEL_ADVICE[status]) || ADVICE[status] || 'Try again. If it stays so, look at the server\u2019s log.';
        this.after = 0; // seconds after which the server wants to be asked again, 0 = it did not say
    }

    // Whether the same request may succeed later.
    get passing() {
        return [0, 401, 408, 429].includes(this.status) || this.status >= 500;
    }

    get text() {
        const about = this.field ? ` (${this.field})` : '';
        const end = this.detail && !/[.!?]$/.test(this.detail) ? '.' : '';
        return `${this.message}${about}. ${this.detail}${end} ${this.advice}`.replace(/\s+/g, ' ');
    }

    static from(status, body) {
        try {
            return new Problem(status, JSON.parse(body));
        } catch {
            return new Problem(status);
        }
    }
}

export function setReachable(now) {
    if (reachable === now) return;
    reachable = now;
    server.dispatchEvent(new Event(now ? 'found' : 'lost'));
}

// In frames of other sites storage may be refused; then the token lives as long as the page.
let given = '';

export function token() {
    try {
        return sessionStorage.getItem(TOKEN) || given;
    } catch {
        return given;
    }
}

function keepToken(text) {
    given = text;
    try {
        sessionStorage.setItem(TOKEN, text);
    } catch {
        // as said above
    }
}

export const authorization = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

// Many requests may be refused at once; they share one question.
let question = null;

// Asks for a token after `refused` was not good enough. Resolves to whether to try again.
export function unlock(refused) {
    if (token() !== refused) return Promise.resolve(true);
    if (locked) return Promise.resolve(false);
    question ||= askToken(refused).finally(() => { question = null; });
    return question;
}

async function askToken(refused) {
    $('token-title').textContent = refused ? 'The server refused this token'
        : 'This server asks for a token';
    $('token').value = '';
    const answer = (await ask($('ask-token'))) === 'yes' && $('token').value.trim();
    if (answer) keepToken(answer);
    else {
        locked = true;
        server.dispatchEvent(new Event('locked'));
    }
    return Boolean(answer);
}

export function allowQuestions() {
    locked = false;
}

// As fetch, with the token; anything but success is thrown as a Problem (or AbortError).
export async function request(path, options = {}) {
    for (;;) {
        const used = token();
        const response = await reach(path, options);
        if (response.ok) return response;
        if (response.status === 401 && await unlock(used)) continue;
        const problem = Problem.from(response.status, await response.text().catch(() => ''));
        problem.after = Number(response.headers.get('Retry-After')) || 0;
        throw problem;
    }
}

async function reach(path, options) {
    try {
        const headers = { ...options.headers, ...authorization() };
        const response = await fetch(path, { ...options, headers });
        setReachable(true);
        return response;
    } catch (error) {
        if (error.name === 'AbortError') throw error;
        setReachable(false);
        throw new Problem(0);
    }
}

// Posts a form and tells how much of it is sent, 0..1: fetch says nothing about that. Resolves to the
// answer's JSON.
export async function postForm(path, form, { progress, signal }) {
    for (;;) {
        const used = token();
        const xhr = await sendForm(path, form, progress, signal);
        if (xhr.status >= 200 && xhr.status < 300) return JSON.parse(xhr.responseText);
        if (xhr.status === 401 && await unlock(used)) continue;
        throw Problem.from(xhr.status, xhr.responseText);
    }
}

function sendForm(path, form, progress, signal) {
    return new Promise((resolve, reject) => {
        const xhr = new XMLHttpRequest();
        xhr.open('POST', path);
        for (const [name, value] of Object.entries(authorization())) xhr.setRequestHeader(name, value);
        xhr.upload.onprogress = (event) => progress(event.loaded / event.total);
        xhr.onload = () => resolve(xhr);
        xhr.onerror = () => reject(new Problem(0));
        xhr.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
        signal.addEventListener('abort', () => xhr.abort(), { once: true });
        xhr.send(form);
    });
}

export const getJson = (path, options) => request(path, options).then((answer) => answer.json());

// Whether the server answers now, however it answers.
export async function ping() {
    try {
        await fetch('/health', { cache: 'no-store' });
        setReachable(true);
    } catch {
        setReachable(false);
    }
    return reachable;
}
