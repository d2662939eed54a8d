// The late rule for as long as one likes: a model that is much too slow for the source's rate. What leaves must
// keep the source's rate and its delay, and memory must stay. Prints a line a half minute, then what came of it.
//
//   node tests/soak/live.mjs [--minutes 10] [--gflop 20] [--delay 200]
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const ROOT = resolve(import.meta.dirname, '../..');
const BINARY = process.env.SACCADE || join(ROOT, 'build/saccade');
const MEDIA = resolve(ROOT, '../shared/media');
const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
const SLACK_MS = 150; // for decoding, drawing and encoding on a busy machine
const { values } = parseArgs({ options: {
    minutes: { type: 'string', default: '10' }, gflop: { type: 'string', default: '20' },
    delay: { type: 'string', default: '200' } } });
const seconds = Number(values.minutes) * 60, delay = Number(values.delay);

async function lookAt(pid) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const field = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);
    return { rss_mb: Math.round(field('VmRSS') / 1024), threads: field('Threads'),
        descriptors: (await readdir(`/proc/${pid}/fd`)).length };
}

const percentile = (list, p) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * p)];

function judge(samples, rate) {
    const steady = samples.filter((sample) => sample.uptime > 10); // the model loads, the first pictures queue
    const [first, last] = [steady[0], steady.at(-1)];
    const figures = {
        seconds: Math.round(last.uptime), rate,
        encoded_fps: (last.encoded - first.encoded) / (last.uptime - first.uptime),
        detected_fps: (last.detected - first.detected) / (last.uptime - first.uptime),
        late: last.late,
        p50_ms: { median: percentile(steady.map((s) => s.latency_p50_ms), 0.5), most: Math.max(...steady.map((s) => s.latency_p50_ms)) },
        p95_ms: { median: percentile(steady.map((s) => s.latency_p95_ms), 0.5), most: Math.max(...steady.map((s) => s.latency_p95_ms)) },
        rss_mb: { first: first.rss_mb, last: last.rss_mb, most: Math.max(...steady.map((s) => s.rss_mb)) },
        threads: Math.max(...steady.map((s) => s.threads)), descriptors: Math.max(...steady.map((s) => s.descriptors)),
    };
    const faults = [];
    if (figures.encoded_fps < 0.97 * rate) faults.push('the rate is not kept');
    if (figures.p95_ms.median > delay + SLACK_MS) faults.push('the delay is not kept');
    if (figures.p95_ms.most > 2 * (delay + SLACK_MS)) faults.push('the delay is not bounded');
    if (figures.detected_fps > 0.7 * rate) faults.push('the model is not slow');
    if (figures.rss_mb.last > 1.1 * figures.rss_mb.first + 20) faults.push('memory grows');
    return { ...figures, faults };
}

async function main() {
    const clip = join(MEDIA, 'bottle-detection.mp4'), folder = await mkdtemp(join(tmpdir(), 'saccade-soak-'));
    const model = join(folder, 'slow.onnx');
    execFileSync(PYTHON, [join(import.meta.dirname, 'slow_model.py'), join(MEDIA, 'yolox_nano.onnx'), model, values.gflop]);
    const [num, den] = execFileSync('ffprobe', ['-v', 'error', '-select_streams', 'v', '-of', 'csv=p=0',
        '-show_entries', 'stream=r_frame_rate', clip], { encoding: 'utf8' }).split('/').map(parseFloat);
    const child = spawn(BINARY, ['live', clip, join(folder, 'out.mp4'), '--model', model, '--provider', 'cpu', '--threads', '1',
        '--track', '--overlay', '--realtime', '--loop', '--delay', `${delay}ms`, '--json'], { cwd: ROOT });
    const samples = [];
    let said = '', told = 0;
    child.stderr.on('data', (chunk) => { said = (said + chunk).slice(-5000); });
    for await (const line of createInterface({ input: child.stdout })) {
        const state = JSON.parse(line);
        const seen = child.exitCode === null ? await lookAt(child.pid).catch(() => null) : null;
        if (seen && state.state === 'running') samples.push({ ...state, ...seen });
        if (state.uptime - told >= 30) {
            told = state.uptime;
            const { outputs, pipeline, reason, ...rest } = { ...state, ...seen };
            console.log(JSON.stringify(rest));
        }
        if (state.uptime >= seconds && state.state === 'running') child.kill('SIGINT');
    }
    await rm(folder, { recursive: true });
    if (samples.length < 20) throw new Error(`it ended too early:\n${said}`);
    const verdict = judge(samples, num / den);
    console.log(JSON.stringify(verdict, null, 1));
    process.exitCode = verdict.faults.length ? 1 : 0;
}

await main();
