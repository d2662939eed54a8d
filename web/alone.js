// GET /webrtc: the player alone, to be put into frames of other sites.
//
// /webrtc?stream=ID plays a live stream, /webrtc?video=ID a stored video, which is made a stream for as long as
// somebody watches. &boxes=off begins without boxes.
import { Problem, request } from './api.js';
import { pause } from './detections.js';
import * as events from './events.js';
import * as streams from './streams.js';
import { $ } from './ui.js';
import { Player } from './watch.js';

const AGAIN_MS = 3000;

const query = new URLSearchParams(location.search);

function complain(error) {
    $('trouble').textContent = error.text || String(error);
    $('trouble').hidden = false;
}

// The id of the stream that is to be played.
async function start() {
    if (query.get('stream')) return query.get('stream');
    const video = query.get('video');
    if (!video) throw new Problem(400, { title: 'Say which stream: /webrtc?stream=ID, or /webrtc?video=ID' });
    const answer = await request('/api/webrtc/start', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ video_id: video }),
    });
    return (await answer.json()).id;
}

// A server that is not there yet is asked again.
async function find(id) {
    for (;;) {
        try {
            return await streams.get(id);
        } catch (error) {
            if (error.status === 404) throw new Problem(404, { title: `There is no stream ${id}` });
            if (!error.passing) throw error;
            complain(error);
            await pause(AGAIN_MS, new AbortController().signal);
        }
    }
}

async function play() {
    const stream = await find(await start());
    $('trouble').hidden = true;
    document.title = `${stream.id} · Saccade`;
    const player = new Player(stream.id, { boxes: query.get('boxes') !== 'off', drawn: Boolean(stream.overlay) });
    const tell = (status) => player.tell({ state: status.state, reason: streams.why(status) });
    $('main').append(player.node);
    player.start();
    tell(stream);
    events.follow(`${streams.streamPath(stream.id)}/stats`, {
        signal: player.control.signal, take: tell,
        failed: () => player.tell({ state: 'ended', reason: 'This stream is gone.' }),
    });
}

play().catch(complain);
