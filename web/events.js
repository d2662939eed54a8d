// Server-sent events by fetch: EventSource can send no token and says nothing of a refusal.
import { request } from './api.js';
import { pause } from './detections.js';

const AGAIN_MS = 2000;

// Calls take(data) for each event with JSON in it. Resolves when the answer ends; rejects with a Problem or
// AbortError.
export async function read(path, { signal, take }) {
    const headers = { Accept: 'text/event-stream' };
    const answer = await request(path, { signal, headers, cache: 'no-store' });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ''; ;) {
        const { value, done } = await reader.read();
        if (done) return;
        const events = (rest + value).split('\n\n');
        rest = events.pop();
        for (const event of events) {
            const lines = event.split('\n').filter((line) => line.startsWith('data:'));
            if (lines.length) take(JSON.parse(lines.map((line) => line.slice(5)).join('\n')));
        }
    }
}

// The same for as long as somebody looks: what ends or fails is asked for again, except what is gone for
// good: failed(error) says so and the promise ends.
export async function follow(path, { signal, take, failed }) {
    while (!signal.aborted) {
        try {
            await read(path, { signal, take });
        } catch (error) {
            if (signal.aborted) return;
            if (error.status === 404) return void failed(error);
        }
        await pause(AGAIN_MS, signal).catch(() => {});
    }
}
