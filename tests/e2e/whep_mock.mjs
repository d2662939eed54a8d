// A WHEP server made of another page of the same browser: it answers offers with a drawn picture, a tone, and
// the data channel "saccade", on which it tells each picture's RTP timestamp and a box that goes round.

// Runs in the other page. One connection a session, by name.
function serve() {
    const sessions = new Map();
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
    const context = canvas.getContext('2d');
    let n = 0;
    setInterval(() => {
        context.fillStyle = `hsl(${n % 360} 60% 40%)`;
        context.fillRect(0, 0, 640, 360);
        context.fillStyle = '#fff';
        context.font = '80px sans-serif';
        context.fillText(String(n++), 40, 120);
    }, 50);

    const detections = (count) => [
        { class: 0, label: 'player', score: 0.9, box: [64, 36, 320, 324], track: 7 },
        { class: 32, label: 'ball', score: 0.5, box: [200 + count % 40, 160, 240 + count % 40, 200] },
    ];

    // Each encoded picture tells its timestamp on its way out.
    function tell(sender, session) {
        const { readable, writable } = sender.createEncodedStreams();
        let count = 0;
        readable.pipeThrough(new TransformStream({
            transform(frame, controller) {
                count++;
                const message = { rtp: frame.timestamp, n: count, t: count / 20, width: 640, height: 360, detected: true, age_ms: 12, detections: detections(count) };
                if (session.channel?.readyState === 'open') session.channel.send(JSON.stringify(message));
                controller.enqueue(frame);
            },
        })).pipeTo(writable);
    }

    function makeTone() {
        const sound = new AudioContext();
        const [oscillator, out] = [sound.createOscillator(), sound.createMediaStreamDestination()];
        oscillator.connect(out);
        oscillator.start();
        return out.stream.getAudioTracks();
    }

    window.answer = async (name, offer, { picture = true } = {}) => {
        const peer = new RTCPeerConnection({ encodedInsertableStreams: true });
        const session = { peer, channel: null };
        sessions.set(name, session);
        peer.ondatachannel = ({ channel }) => { session.channel = channel; };
        await peer.setRemoteDescription({ type: 'offer', sdp: offer });
        if (picture) {
            const [video] = canvas.captureStream(20).getVideoTracks();
            video.contentHint = 'detail'; // a busy machine leaves out pictures rather than make them smaller
            const [tone] = makeTone();
            for (const transceiver of peer.getTransceivers()) {
                const { kind } = transceiver.receiver.track;
                await transceiver.sender.replaceTrack(kind === 'video' ? video : tone);
                transceiver.direction = 'sendonly';
                if (kind === 'video') tell(transceiver.sender, session);
                else {
                    const sound = transceiver.sender.createEncodedStreams();
                    sound.readable.pipeTo(sound.writable);
                }
            }
        }
        await peer.setLocalDescription();
        await new Promise((done) => {
            if (peer.iceGatheringState === 'complete') done();
            peer.onicegatheringstatechange = () => { if (peer.iceGatheringState === 'complete') done(); };
        });
        return peer.localDescription.sdp;
    };
    window.hangUp = (name) => sessions.get(name)?.peer.close();
    window.isOpen = (name) => sessions.get(name)?.peer.connectionState === 'connected';
}

// The mock for a page: {offers, deleted, patches, behave, hangUp(), close()}. behave(number of the offer) may give
// {status, body, headers} to refuse it, or {picture: false}.
export async function mockWhep(page, behave = () => ({})) {
    const other = await page.context().newPage();
    await other.goto('about:blank');
    await other.evaluate(serve);
    const mock = { offers: [], deleted: [], patches: [], other };
    const nameOf = (url) => url.split('/').at(-1);
    await page.context().route('**/api/v1/streams/*/whep', async (route) => {
        const request = route.request();
        if (request.method() !== 'POST') return route.fulfill({ status: 405 });
        mock.offers.push({ sdp: request.postData(), headers: request.headers() });
        const name = `session${mock.offers.length}`;
        const how = behave(mock.offers.length);
        if (how.status) return route.fulfill({ status: how.status, headers: how.headers, contentType: 'application/problem+json', body: JSON.stringify(how.body || { title: 'No', status: how.status }) });
        const sdp = await other.evaluate(([id, offer, options]) => window.answer(id, offer, options), [name, request.postData(), how])
            .catch((error) => { if (!/has been closed/.test(error.message)) throw error; });
        if (!sdp) return undefined; // the test ended meanwhile
        return route.fulfill({ status: 201, contentType: 'application/sdp', headers: { Location: `${new URL(request.url()).pathname}/${name}`, ETag: '"e1"', 'Accept-Patch': 'application/trickle-ice-sdpfrag' }, body: sdp });
    });
    await page.context().route('**/api/v1/streams/*/whep/*', async (route) => {
        const name = nameOf(route.request().url());
        if (route.request().method() === 'PATCH') {
            mock.patches.push({ name, body: route.request().postData(), headers: route.request().headers() });
            return route.fulfill({ status: 204 });
        }
        mock.deleted.push(name);
        await other.evaluate((id) => window.hangUp(id), name).catch(() => {});
        return route.fulfill({ status: 200 });
    });
    mock.hangUp = (name) => other.evaluate((id) => window.hangUp(id), name);
    return mock;
}
