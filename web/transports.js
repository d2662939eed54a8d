// The ways in which a live stream comes to the page: WebRTC, HLS, MJPEG. Each is opened with
//   {id, stage, signal, picture, message}
// puts its picture into the stage, and resolves to a session once that is there:
//   {name, node, gone, close(), figures(), ...}
// gone resolves to the reason for which it ended; figures() resolves to what is known of it now.
// picture(rtp, metadata) is called for each picture on the screen, message(object) for what comes beside it.
import { Problem, request, token } from './api.js';
import * as mjpeg from './mjpeg.js';
import { streamPath } from './streams.js';
import { element } from './ui.js';
import { Whep } from './whep.js';

export const NAMES = { webrtc: 'WebRTC', hls: 'HLS', mjpeg: 'MJPEG' };

const FIRST_MS = { webrtc: 5000, hls: 12000, mjpeg: 8000 }; // to the first picture
const STILL_MS = 10000; // without a new picture: it is asked for again

// Resolves with the promise, or rejects after ms, or when the signal says so.
function within(ms, promise, signal, text) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Problem(0, { title: text() })), ms);
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        promise.then(resolve, reject).finally(() => clearTimeout(timer));
    });
}

const makeVideo = (stage) => {
    const video = element('video', { class: 'coming', autoplay: '', playsinline: '', disablepictureinpicture: '' });
    video.muted = true;
    stage.prepend(video);
    return video;
};

// Calls picture() for each picture that a video shows, first() for the first one.
function follow(video, picture, first) {
    let last = performance.now();
    const seen = (metadata) => {
        last = performance.now();
        first();
        picture(metadata.rtpTimestamp, metadata);
    };
    if (video.requestVideoFrameCallback) {
        const next = (now, metadata) => {
            seen(metadata);
            video.requestVideoFrameCallback(next);
        };
        video.requestVideoFrameCallback(next);
    } else video.addEventListener('timeupdate', () => seen({}));
    return () => performance.now() - last;
}

// --- WebRTC -------------------------------------------------------------------------------

async function openWebrtc({ id, stage, signal, picture, message }) {
    if (!window.RTCPeerConnection) throw new Problem(501, { title: 'this browser has no WebRTC' });
    const whep = new Whep(`${streamPath(id)}/whep`);
    const video = makeVideo(stage);
    const gone = new Promise((resolve) => whep.addEventListener('lost', ({ detail }) => resolve(detail)));
    let stillFor = () => 0;
    const watching = setInterval(() => { if (stillFor() > STILL_MS && !video.paused) whep.lose('no picture came any more'); }, 1000);
    const close = () => {
        clearInterval(watching);
        whep.leave();
        video.remove();
    };
    const leave = () => whep.leave();
    try {
        addEventListener('pagehide', leave);
        whep.addEventListener('message', ({ detail }) => message(detail));
        const first = new Promise((resolve, reject) => {
            whep.addEventListener('lost', ({ detail }) => reject(new Problem(0, { title: detail })));
            stillFor = follow(video, picture, resolve);
        });
        const path = () => (whep.peer.connectionState === 'connected' ? 'it is connected, but no picture came' : `it is still ${whep.peer.iceConnectionState === 'checking' ? 'looking for a way to the server' : 'connecting'}`);
        first.catch(() => {}); // joining may fail before anybody waits for it
        const joined = whep.join().then(() => {
            video.srcObject = whep.stream;
            video.play().catch(() => {});
            return first;
        });
        await within(FIRST_MS.webrtc, joined, signal, () => `no picture within 5 seconds: ${path()}`);
    } catch (error) {
        close();
        throw error;
    }
    return {
        name: 'webrtc', node: video, gone, whep,
        close: () => {
            removeEventListener('pagehide', leave);
            close();
        },
        figures: rtcFigures(whep.peer, video),
        get sound() { return whep.stream.getAudioTracks().some((track) => !track.muted); },
    };
}

// What the browser counts, as rates over the time since the last call.
function rtcFigures(peer, video) {
    let before = null;
    return async () => {
        const reports = [...(await peer.getStats()).values()];
        const now = reports.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
        const pair = reports.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
        const codec = reports.find(({ id }) => id === now?.codecId);
        if (!now) return {};
        const since = (name) => (now[name] || 0) - (before?.[name] || 0);
        const seconds = before ? (now.timestamp - before.timestamp) / 1000 : 0;
        const packets = since('packetsReceived') + since('packetsLost');
        const emitted = since('jitterBufferEmittedCount');
        const figures = {
            codec: codec?.mimeType.split('/')[1], width: video.videoWidth, height: video.videoHeight,
            bitrate: seconds ? since('bytesReceived') * 8 / seconds : undefined,
            fps: seconds ? since('framesDecoded') / seconds : undefined,
            dropped: now.framesDropped, loss: before && packets > 0 ? Math.max(0, since('packetsLost')) / packets : undefined,
            rtt: pair?.currentRoundTripTime * 1000, buffer: emitted > 0 ? since('jitterBufferDelay') / emitted * 1000 : undefined,
            freezes: now.freezeCount,
        };
        before = now;
        return figures;
    };
}

// --- HLS ----------------------------------------------------------------------------------

async function openHls({ id, stage, signal, picture }) {
    const path = `${streamPath(id)}/hls/index.m3u8`;
    await request(path, { signal, cache: 'no-store' });
    const video = makeVideo(stage);
    let fail;
    const gone = new Promise((resolve) => {
        fail = resolve;
        for (const type of ['error', 'ended']) video.addEventListener(type, () => resolve(video.error?.message || 'it ended'));
    });
    let detach = () => {};
    const close = () => {
        detach();
        video.removeAttribute('src');
        video.load();
        video.remove();
    };
    try {
        detach = await attachHls(video, path, fail);
        const first = new Promise((resolve, reject) => {
            gone.then((reason) => reject(new Problem(0, { title: reason })));
            follow(video, picture, resolve);
        });
        await within(FIRST_MS.hls, first, signal, () => 'no picture within 12 seconds');
    } catch (error) {
        close();
        throw error;
    }
    return {
        name: 'hls', node: video, gone, close, sound: true,
        figures: async () => ({ width: video.videoWidth, height: video.videoHeight, dropped: video.getVideoPlaybackQuality?.().droppedVideoFrames }),
    };
}

// The library first: it plays parts of segments, so it is seconds nearer to now than most browsers' own players. It
// is fetched now. The browser's own one sends no token.
async function attachHls(video, path, failed) {
    const { default: Hls } = await import('./hls.js').catch(() => ({}));
    if (!Hls?.isSupported()) return attachOwn(video, path);
    const player = new Hls({ enableWorker: false, xhrSetup: (xhr) => { if (token()) xhr.setRequestHeader('Authorization', `Bearer ${token()}`); } });
    player.on(Hls.Events.ERROR, (event, { fatal, details }) => { if (fatal) failed(`its player says ${details}`); });
    player.loadSource(path);
    player.attachMedia(video);
    video.play().catch(() => {});
    return () => player.destroy();
}

function attachOwn(video, path) {
    if (!video.canPlayType('application/vnd.apple.mpegurl')) throw new Problem(501, { title: 'this browser plays no HLS' });
    if (token()) throw new Problem(501, { title: 'this browser\u2019s player of HLS sends no token' });
    video.src = path;
    video.play().catch(() => {});
    return () => {};
}

// --- MJPEG --------------------------------------------------------------------------------

async function openMjpeg({ id, stage, signal, picture }) {
    const canvas = element('canvas', { class: 'coming', width: 16, height: 9 });
    const control = new AbortController();
    const count = { bytes: 0, pictures: 0, at: performance.now() };
    const session = { name: 'mjpeg', node: canvas, sound: false, paused: false };
    stage.prepend(canvas);
    session.close = () => {
        control.abort();
        canvas.remove();
    };
    session.figures = async () => {
        const { bytes, pictures, at } = count;
        const seconds = (performance.now() - at) / 1000;
        Object.assign(count, { bytes: 0, pictures: 0, at: performance.now() });
        return { codec: 'JPEG', width: canvas.width, height: canvas.height, bitrate: bytes * 8 / seconds, fps: pictures / seconds };
    };
    const first = new Promise((resolve, reject) => {
        session.gone = play(resolve).catch((error) => {
            reject(error);
            return error.text || 'it broke off';
        });
    });
    async function play(started) {
        for await (const one of mjpeg.pictures(`${streamPath(id)}/stream.mjpeg`, { signal: control.signal })) {
            count.bytes += one.data.length;
            count.pictures++;
            if (session.paused) continue;
            await mjpeg.draw(canvas, one);
            started();
            picture(undefined, one);
        }
        throw new Problem(0, { title: 'the server ended it' });
    }
    try {
        await within(FIRST_MS.mjpeg, first, signal, () => 'no picture within 8 seconds');
    } catch (error) {
        session.close();
        throw error;
    }
    return session;
}

export const open = (name, params) => ({ webrtc: openWebrtc, hls: openHls, mjpeg: openMjpeg })[name](params);
