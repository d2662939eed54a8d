// The viewer's side of WHEP: one connection that receives a stream's picture and sound, and its detections on a
// data channel.
//
// It fires "message" with what comes on the channel, and "lost" once, with the reason, when the connection is
// over without leave() having been called.
import { Problem, authorization, request } from './api.js';

const CHANNEL = 'saccade';
const DOUBT_MS = 4000;  // a connection that says "disconnected" often comes back, by itself or by a restart of ICE
const TRICKLE_MS = 100; // candidates that come within this go in one request

// What servers said of STUN and TURN, by address: used from the next connection on.
const learned = new Map();

// <stun:host:3478>; rel="ice-server", <turn:host>; rel="ice-server"; username="u"; credential="c"
export function parseLinks(text) {
    return [...(text || '').matchAll(/<((?:stun|turn)s?:[^>]+)>([^<]*)/g)].filter(([, , rest]) => /rel="?ice-server"?/.test(rest))
        .map(([, urls, rest]) => {
            const value = (name) => new RegExp(`[;,\\s]${name}="([^"]*)"`).exec(rest)?.[1];
            return urls.startsWith('turn') ? { urls, username: value('username'), credential: value('credential') } : { urls };
        });
}

// H.264 is what the server encodes anyway, so everything else comes after it.
function preferH264(transceiver) {
    const { codecs } = RTCRtpReceiver.getCapabilities('video');
    const first = codecs.filter(({ mimeType }) => mimeType === 'video/H264');
    transceiver.setCodecPreferences?.([...first, ...codecs.filter((codec) => !first.includes(codec))]);
}

// Of "a=name:value".
const valueOf = (sdp, name) => new RegExp(`^a=${name}:(.*)$`, 'm').exec(sdp)?.[1].trim();

// An answer with the credentials and candidates that a restart's fragment has.
function renew(answer, fragment) {
    const [session, first, ...others] = answer.replace(/^a=(?:candidate:|end-of-candidates).*\r?\n/gm, '')
        .replace(/^a=(ice-ufrag|ice-pwd):.*$/gm, (line, name) => `a=${name}:${valueOf(fragment, name)}`).split(/^(?=m=)/m);
    const candidates = [...fragment.matchAll(/^a=candidate:.*$/gm)].map(([line]) => `${line.trim()}\r\n`);
    return [session, first, ...candidates, ...others].join('');
}

export class Whep extends EventTarget {
    constructor(url) {
        super();
        Object.assign(this, { url, session: '', over: false, candidates: [], stream: new MediaStream() });
        this.peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle', iceServers: learned.get(url) || [] });
        this.peer.addEventListener('track', ({ track, receiver }) => this.take(track, receiver));
        this.peer.addEventListener('connectionstatechange', () => this.judge());
        this.peer.addEventListener('icecandidate', ({ candidate }) => this.trickle(candidate));
        this.peer.addEventListener('datachannel', ({ channel }) => this.listen(channel));
    }

    // Asks for the stream. Resolves when the server has answered: the connection is made after that.
    // Rejects with a Problem, or what the browser says of the answer. Who leaves meanwhile has left: the session
    // that the server makes is ended as soon as its name is known.
    async join() {
        preferH264(this.peer.addTransceiver('video', { direction: 'recvonly' }));
        this.peer.addTransceiver('audio', { direction: 'recvonly' });
        this.listen(this.peer.createDataChannel(CHANNEL, { ordered: false, maxRetransmits: 0 }));
        await this.peer.setLocalDescription();
        const answer = await request(this.url, {
            method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: this.peer.localDescription.sdp,
        });
        if (answer.status !== 201) throw new Problem(answer.status, { title: 'The server gave no session' });
        this.session = new URL(answer.headers.get('Location') || this.url, new URL(this.url, location.href)).href;
        this.etag = answer.headers.get('ETag');
        learned.set(this.url, parseLinks(answer.headers.get('Link')));
        const sdp = await answer.text();
        if (this.over) return void this.end(); // left while the server was answering
        await this.peer.setRemoteDescription({ type: 'answer', sdp });
        this.sendCandidates();
    }

    // Works while the page is being left, too.
    leave() {
        if (this.over) return;
        this.over = true;
        clearTimeout(this.doubt);
        clearTimeout(this.trickling);
        this.end();
    }

    // The server hears of it before the connection goes: it would have forgotten the session else.
    end() {
        const { session } = this;
        this.session = '';
        if (!session) return void this.peer.close();
        fetch(session, { method: 'DELETE', keepalive: true, headers: authorization() }).catch(() => {})
            .finally(() => this.peer.close());
    }

    lose(reason) {
        if (this.over) return;
        this.leave();
        this.dispatchEvent(new CustomEvent('lost', { detail: reason }));
    }

    judge() {
        const state = this.peer.connectionState;
        if (state === 'connected') {
            clearTimeout(this.doubt);
            this.doubt = 0;
        } else if (state === 'failed') this.lose('no connection could be made to the server');
        else if (state === 'closed') this.lose('the server closed the connection');
        else if (state === 'disconnected' && !this.doubt) {
            this.doubt = setTimeout(() => this.lose('the connection broke off'), DOUBT_MS);
            this.restart().catch(() => {}); // then it comes back by itself, or not at all
        }
    }

    // ICE anew, for a browser that has another address now: the session, its encryption and its pictures go on.
    // What a server refuses changes nothing.
    async restart() {
        if (!this.session || !this.etag || this.restarting) return;
        this.restarting = true; // candidates wait until the server knows what they belong to
        try {
            this.peer.restartIce();
            await this.peer.setLocalDescription();
            const answer = await this.patch('"*"', []).catch(() => null);
            if (this.over) return;
            const fragment = answer?.status === 200 ? await answer.text() : '';
            if (valueOf(fragment, 'ice-pwd')) {
                this.etag = answer.headers.get('ETag');
                await this.peer.setRemoteDescription({ type: 'answer', sdp: renew(this.peer.remoteDescription.sdp, fragment) });
            } else {
                await this.peer.setLocalDescription({ type: 'rollback' });
                this.candidates = [];
            }
        } finally {
            this.restarting = false;
        }
        this.sendCandidates();
    }

    take(track, receiver) {
        // As little delay as the browser is ready to give.
        if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
        else if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
        this.stream.addTrack(track);
    }

    listen(channel) {
        if (channel.label !== CHANNEL) return;
        channel.addEventListener('message', ({ data }) => {
            if (typeof data === 'string') this.dispatchEvent(new CustomEvent('message', { detail: data }));
        });
    }

    // --- candidates that were found after the offer was sent ------------------------------

    trickle(candidate) {
        if (candidate?.candidate) this.candidates.push(candidate);
        clearTimeout(this.trickling);
        if (this.session) this.trickling = setTimeout(() => this.sendCandidates(), TRICKLE_MS);
    }

    // A server that wants none of it refuses, and finds this side by its own checks.
    sendCandidates() {
        if (!this.candidates.length || !this.session || !this.etag || this.restarting) return;
        const lines = this.candidates.splice(0).map(({ candidate }) => `a=${candidate}`);
        this.patch(this.etag, [...lines, ...this.peer.iceGatheringState === 'complete' ? ['a=end-of-candidates'] : []]).catch(() => {});
    }

    patch(etag, candidates) {
        const { sdp } = this.peer.localDescription;
        const lines = [...['ice-ufrag', 'ice-pwd'].map((name) => `a=${name}:${valueOf(sdp, name)}`),
            'm=video 9 UDP/TLS/RTP/SAVPF 0', `a=mid:${valueOf(sdp, 'mid')}`, ...candidates];
        return fetch(this.session, {
            method: 'PATCH', body: lines.map((line) => `${line}\r\n`).join(''),
            headers: { ...authorization(), 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': etag },
        });
    }
}
