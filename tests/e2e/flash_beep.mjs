// A clip of white flashes and beeps that begin together at each second, and what became of them.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';

export const FPS = 25, RATE = 48000;

const run = (...args) => spawnSync('ffmpeg', ['-v', 'info', '-nostdin', '-hide_banner', ...args], { maxBuffer: 1 << 28 });

export function makeClip(path, seconds) {
    execFileSync('ffmpeg', ['-v', 'error', '-y',
        '-f', 'lavfi', '-i', `color=black:size=160x120:rate=${FPS}:duration=${seconds},geq=lum='if(lt(mod(N,${FPS}),2),235,16)':cb=128:cr=128`,
        '-f', 'lavfi', '-i', `aevalsrc='if(lt(mod(t,1),0.08),0.5*sin(2*PI*1000*t),0)':s=${RATE}:d=${seconds}`,
        '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '10', '-bf', '2', '-pix_fmt', 'yuv420p', '-c:a', 'aac', path]);
}

// Begins of the flashes {time, unsure} (s): where pictures before it are missing, it may have begun that much earlier.
// And the largest gap between two pictures.
function flashes(file) {
    const text = run('-copyts', '-i', file, '-map', '0:v', '-vf', 'signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-',
        '-f', 'null', '-').stdout.toString();
    const pictures = [...text.matchAll(/pts_time:(\S+)\nlavfi\.signalstats\.YAVG=(\S+)/g)]
        .map(([, time, luma]) => ({ time: Number(time), bright: Number(luma) > 128 }));
    let gap = { length: 0, at: 0 };
    pictures.forEach(({ time }, i) => {
        if (i && time - pictures[i - 1].time > gap.length) gap = { length: time - pictures[i - 1].time, at: time };
    });
    const begins = pictures.map(({ bright, time }, i) => ({ time, since: bright && i && !pictures[i - 1].bright ? time - pictures[i - 1].time : Infinity }))
        .filter(({ since }) => since < 0.2);
    return { begins: begins.map(({ time, since }) => ({ time, unsure: since > 1.5 / FPS ? since - 1 / FPS : 0 })), gap };
}

// Begins of the beeps (s): the first loud sample after a tenth of a second of silence, by the times of the
// frames that they are in.
function beeps(file) {
    const { stdout, stderr } = run('-copyts', '-i', file, '-map', '0:a', '-af', 'aformat=flt:channel_layouts=mono,ashowinfo',
        '-f', 'f32le', '-');
    const frames = [...stderr.toString().matchAll(/n:\d+ pts:\S+ pts_time:(\S+) .*?rate:(\d+) nb_samples:(\d+)/g)]
        .map(([, time, rate, count]) => ({ time: Number(time), rate: Number(rate), count: Number(count) }));
    const samples = new Float32Array(stdout.buffer, stdout.byteOffset, stdout.length / 4), begins = [];
    let at = 0, loud = -Infinity;
    for (const { time, rate, count } of frames) {
        for (let i = 0; i < count; i++) {
            if (Math.abs(samples[at + i]) < 0.1) continue;
            const now = time + i / rate;
            if (now - loud > 0.1) begins.push(now);
            loud = now;
        }
        at += count;
    }
    assert.equal(at, samples.length);
    return begins;
}

// How much later than its flash each beep begins (s), or later by up to `unsure`.
export function measure(file) {
    const { begins, gap } = flashes(file), sounds = beeps(file);
    const pairs = begins.map(({ time: flash, unsure }) => {
        const beep = sounds.reduce((best, now) => (Math.abs(now - flash) < Math.abs(best - flash) ? now : best), Infinity);
        return { flash, late: beep - flash, unsure };
    }).filter(({ late }) => Math.abs(late) < 0.4);
    return { pairs, gap, flashes: begins.length, beeps: sounds.length };
}
