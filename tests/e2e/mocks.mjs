// Detection as a server would answer it, for states that a real one is hardly brought into. Routes
// of the browser; everything else still goes to the real server.

export const READY = {
    name: 'yolox_nano', default: false, origin: 'upload', state: 'ready', reason: null, serving: true, generation: 1,
    family: 'yolox', width: 416, height: 416, classes: 80, threshold: 0.3, provider: 'cpu', device: 'cpu',
    provider_reason: 'no GPU here',
};
export const LOADING = { name: 'large', origin: 'upload', state: 'loading', reason: null, serving: false };
export const FAILED = { name: 'odd', origin: 'upload', state: 'failed', reason: 'no family fits its outputs', serving: false };

// What the mocked model sees in frame n of a 320x240 clip: two bottles, one of them faint; a person
// in every other second.
export function seenIn(n) {
    const bottle = (score, x) => ({ class: 39, label: 'bottle', score, box: [x, 60, x + 40, 160] });
    const person = { class: 0, label: 'person', score: 0.8, box: [200, 2, 310, 230] };
    return [...Math.floor(n / 25) % 2 ? [person] : [], bottle(0.9, 20 + n % 100), bottle(0.1, 150)]
        .sort((a, b) => b.score - a.score);
}

const line = (n) => `${JSON.stringify({ n, t: n / 25, width: 320, height: 240, model: READY.name, detections: seenIn(n) })}\n`;

export function framesOf(url, last) {
    const query = new URL(url).searchParams;
    const [from, to] = [Number(query.get('from') ?? 0), Math.min(last + 1, Number(query.get('to') ?? last + 1))];
    const every = Number(query.get('every') ?? 1);
    return Array.from({ length: Math.ceil((to - from) / every) }, (_, i) => from + i * every);
}

export const linesOf = (url, last) => framesOf(url, last).map(line).join('');

// models: the list, or a function that gives it; answer(route, url): what to do with a request for
// detections, undefined = give them. Resolves to the URLs asked for.
export async function mockDetection(page, { models = [READY], last = 124, answer = () => undefined } = {}) {
    const asked = [];
    await page.route('**/api/v1/models', (route) => {
        if (route.request().method() !== 'GET') return route.fallback();
        return route.fulfill({ json: { models: typeof models === 'function' ? models() : models } });
    });
    await page.route('**/detections?*', async (route) => {
        const url = route.request().url();
        asked.push(url);
        if (await answer(route, url)) return undefined;
        return route.fulfill({ contentType: 'application/x-ndjson', body: linesOf(url, last) }).catch(() => {});
    });
    return asked;
}

// Whether it asks for one frame.
export function single(url) {
    const query = new URL(url).searchParams;
    return Number(query.get('to')) === Number(query.get('from')) + 1;
}
