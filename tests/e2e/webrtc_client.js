// Runs in a page: a WHEP viewer and a WHIP publisher, as plain as they can be.
{
    const gone = new Map(); // name -> peer connection and what belongs to it
    const own = (name) => gone.get(name);

    const post = async (url, pc, token) => {
        await pc.setLocalDescription(await pc.createOffer());
        const headers = { 'Content-Type': 'application/sdp' };
        if (token) headers.Authorization = `Bearer ${token}`;
        const posted = performance.now();
        const response = await fetch(url, { method: 'POST', headers, body: pc.localDescription.sdp });
        const text = await response.text();
        if (response.status !== 201) return { status: response.status, text };
        await pc.setRemoteDescription({ type: 'answer', sdp: text });
        return { status: 201, posted, session: new URL(response.headers.get('Location'), url).href, etag: response.headers.get('ETag') };
    };

    // Resolves with the first picture: {status, ms, since_post, width, height}.
    window.join = async (name, url, { codec, sound = false, wait = 30000 } = {}) => {
        const begun = performance.now(), pc = new RTCPeerConnection();
        const transceiver = pc.addTransceiver('video', { direction: 'recvonly' });
        if (codec) {
            const all = RTCRtpReceiver.getCapabilities('video').codecs;
            transceiver.setCodecPreferences(all.filter((c) => c.mimeType === `video/${codec}` || c.mimeType === 'video/rtx'));
        }
        if (sound) pc.addTransceiver('audio', { direction: 'recvonly' });
        const channel = pc.createDataChannel('saccade', { ordered: false, maxRetransmits: 0 });
        const viewer = { pc, messages: new Map(), frames: [], states: [] };
        gone.set(name, viewer);
        channel.onmessage = ({ data }) => { const message = JSON.parse(data); viewer.messages.set(message.rtp, message); };
        pc.onconnectionstatechange = () => viewer.states.push(pc.connectionState);
        const track = new Promise((done) => {
            pc.ontrack = (event) => {
                if (event.track.kind === 'audio') viewer.sound = event.track;
                else done(event.track);
            };
        });
        Object.assign(viewer, await post(url, pc));
        if (viewer.status !== 201) return { status: viewer.status, text: viewer.text };
        const video = viewer.video = Object.assign(document.createElement('video'),
            { muted: true, autoplay: true, playsInline: true, srcObject: new MediaStream([await track]) });
        if (viewer.sound) video.srcObject.addTrack(viewer.sound);
        document.body.append(video);
        const first = await new Promise((done) => {
            const timer = setTimeout(() => done(null), wait);
            const look = (now, frame) => {
                clearTimeout(timer);
                viewer.frames.push({ rtp: frame.rtpTimestamp, at: performance.now() });
                done(true);
                video.requestVideoFrameCallback(look);
            };
            video.requestVideoFrameCallback(look);
        });
        return { status: 201, playing: Boolean(first), ms: performance.now() - begun, since_post: performance.now() - viewer.posted, width: video.videoWidth, height: video.videoHeight,
            state: pc.connectionState };
    };

    // What was seen so far: how many pictures, how many of them never had a message, the longest pause.
    window.seen = (name) => {
        const { frames, messages, pc, states, video } = own(name);
        const gaps = frames.slice(1).map((frame, i) => frame.at - frames[i].at);
        const settled = performance.now() - 500; // by then a message came or was lost
        const untold = frames.filter((frame) => frame.at < settled && !messages.has(frame.rtp)).length;
        return { frames: frames.length, untold, messages: messages.size, longest: Math.max(0, ...gaps), state: pc.connectionState, states,
            width: video?.videoWidth, last: [...messages.values()].at(-1), ended: video?.srcObject.getTracks().every((t) => t.readyState === 'ended') };
    };

    window.stats = async (name) => {
        const all = [...(await own(name).pc.getStats()).values()];
        const video = all.find((s) => s.type === 'inbound-rtp' && s.kind === 'video');
        const codec = all.find((s) => s.id === video?.codecId);
        const audio = all.find((s) => s.type === 'inbound-rtp' && s.kind === 'audio');
        return { heard: audio?.packetsReceived, energy: audio?.totalAudioEnergy, codec: codec?.mimeType, decoded: video?.framesDecoded, nacks: video?.nackCount, plis: video?.pliCount };
    };

    const value = (sdp, name) => new RegExp(`^a=${name}:(.*)$`, 'm').exec(sdp)?.[1].trim();

    window.patch = async (name, etag, lines, session = own(name).session) => {
        const response = await fetch(session, { method: 'PATCH', body: lines.map((line) => `${line}\r\n`).join(''),
            headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': etag } });
        return { status: response.status, etag: response.headers.get('ETag'), type: response.headers.get('Content-Type'), text: await response.text() };
    };

    // The answer of before with the credentials and candidates of the server's fragment.
    const renew = (answer, fragment) => {
        const candidates = fragment.match(/^a=candidate:.*$/mg).map((line) => line.trim());
        const media = answer.replace(/^a=(candidate|end-of-candidates).*\r\n/mg, '')
            .replace(/^a=(ice-ufrag|ice-pwd):.*\r$/mg, (line, key) => `a=${key}:${value(fragment, key)}\r`).split(/^(?=m=)/m);
        media[1] += [...candidates, 'a=end-of-candidates', ''].join('\r\n');
        return media.join('');
    };

    // Restarts ICE. trickled: the candidates follow in a request of their own.
    window.restart = async (name, { trickled = false } = {}) => {
        const viewer = own(name), { pc } = viewer;
        pc.restartIce();
        await pc.setLocalDescription(await pc.createOffer());
        while (pc.iceGatheringState !== 'complete' || !/^a=candidate/m.test(pc.localDescription.sdp)) // at first it is complete from before
            await new Promise((done) => { setTimeout(done, 20); });
        const { sdp } = pc.localDescription;
        const credentials = ['ice-ufrag', 'ice-pwd'].map((key) => `a=${key}:${value(sdp, key)}`);
        const candidates = ['m=video 9 UDP/TLS/RTP/SAVPF 0', `a=mid:${value(sdp, 'mid')}`, ...sdp.match(/^a=candidate:.*$/mg).map((line) => line.trim())];
        const said = await window.patch(name, '*', trickled ? credentials : [...credentials, ...candidates]);
        if (said.status !== 200) return said;
        viewer.etag = said.etag;
        await pc.setRemoteDescription({ type: 'answer', sdp: renew(pc.currentRemoteDescription.sdp, said.text) });
        const later = trickled ? (await window.patch(name, viewer.etag, [...credentials, ...candidates])).status : null;
        return { ...said, later, ours: value(sdp, 'ice-ufrag'), theirs: value(said.text, 'ice-ufrag') };
    };

    // The way that is used: {local, remote}, the fragments of their credentials.
    window.way = async (name) => {
        const all = await own(name).pc.getStats();
        const transport = [...all.values()].find((s) => s.type === 'transport');
        const pair = all.get(transport?.selectedCandidatePairId);
        return { local: all.get(pair?.localCandidateId)?.usernameFragment, remote: all.get(pair?.remoteCandidateId)?.usernameFragment, state: pair?.state, dtls: transport?.dtlsState };
    };
    window.session = (name) => ({ url: own(name).session, etag: own(name).etag });

    // Times (ms) at which the picture turns white and the sound begins, over some seconds.
    window.flashesAndBeeps = async (name, seconds) => {
        const { video, sound } = own(name), flashes = [], beeps = [];
        const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
        const brush = canvas.getContext('2d', { willReadFrequently: true });
        const audio = new AudioContext(), analyser = audio.createAnalyser();
        analyser.fftSize = 256;
        audio.createMediaStreamSource(new MediaStream([sound])).connect(analyser);
        await audio.resume();
        const samples = new Float32Array(256), begun = performance.now();
        let white = true, loud = true, watching = true;
        const look = () => {
            brush.drawImage(video, 0, 0, 8, 8);
            const bright = brush.getImageData(4, 4, 1, 1).data[1] > 128;
            if (bright && !white) flashes.push(performance.now() - begun);
            white = bright;
            if (watching) video.requestVideoFrameCallback(look);
        };
        video.requestVideoFrameCallback(look);
        while (performance.now() - begun < seconds * 1000) {
            analyser.getFloatTimeDomainData(samples);
            const noisy = samples.some((value) => Math.abs(value) > 0.1);
            if (noisy && !loud) beeps.push(performance.now() - begun);
            loud = noisy;
            await new Promise((done) => { setTimeout(done, 3); });
        }
        watching = false;
        await audio.close();
        return { flashes, beeps };
    };

    window.leave = async (name, polite = true) => {
        const viewer = own(name);
        gone.delete(name);
        viewer.video?.remove();
        const status = polite && viewer.session ? (await fetch(viewer.session, { method: 'DELETE' })).status : null;
        viewer.pc.close();
        return status;
    };

    window.leaveAll = () => Promise.all([...gone.keys()].map((name) => window.leave(name).catch(() => {})));

    // A camera made of a canvas: a clock that runs.
    window.publish = async (name, url, { codec, width = 320, height = 180 } = {}) => {
        const canvas = Object.assign(document.createElement('canvas'), { width, height });
        const context = canvas.getContext('2d');
        let n = 0;
        const timer = setInterval(() => {
            context.fillStyle = n % 20 < 10 ? '#a03020' : '#2030a0';
            context.fillRect(0, 0, width, height);
            context.fillStyle = '#fff';
            context.font = '40px sans-serif';
            context.fillText(String(n++), 20, 100);
        }, 40);
        document.body.append(canvas);
        const pc = new RTCPeerConnection();
        const stream = canvas.captureStream(25);
        const transceiver = pc.addTransceiver(stream.getVideoTracks()[0], { direction: 'sendonly', streams: [stream] });
        if (codec) {
            const all = RTCRtpSender.getCapabilities('video').codecs;
            transceiver.setCodecPreferences(all.filter((c) => c.mimeType === `video/${codec}` || c.mimeType === 'video/rtx'));
        }
        const publisher = { pc, timer, messages: new Map(), frames: [], states: [] };
        gone.set(name, publisher);
        pc.onconnectionstatechange = () => publisher.states.push(pc.connectionState);
        Object.assign(publisher, await post(url, pc));
        return { status: publisher.status, text: publisher.text };
    };
    window.unpublish = async (name) => {
        clearInterval(own(name).timer);
        return window.leave(name);
    };
}
