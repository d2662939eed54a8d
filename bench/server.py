"""Servers under test, ours and nginx: started on a free port, watched, stopped."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from harness import WORK, BenchError, execute, tool

START_S = 30


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(port, target, method="GET", body=None, kind=None):
    """(status, body); raises OSError when there is no answer. kind is the body's media type."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{target}", data=body, method=method,
                                     headers={"Content-Type": kind} if kind else {})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


class Server:
    """A process that listens on self.port. Its output goes to bench/work/NAME.log."""

    def __init__(self, name, command, port, ready):
        self.name, self.port = name, port
        self.log = WORK / f"{name}.log"
        # Settings come from the command line alone.
        environ = {k: v for k, v in os.environ.items() if not k.startswith("SACCADE_")}
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, cwd=WORK, env=environ)
        try:
            self.wait(ready)
        except BaseException:
            self.close()
            raise

    def wait(self, ready):
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if fetch(self.port, ready)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise BenchError(f"{self.name} did not start: {self.log.read_text()[-400:].strip()}")

    def memory(self, what="VmRSS"):
        """MiB, from /proc; VmHWM is the peak since forget_peak()."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{what}:\s*(\d+) kB", text, re.M).group(1)) / 1024

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def saccade(context, *options, keep=False):
    """Our server on bench/work/data, which starts empty unless kept."""
    data = WORK / "data"
    if not keep:
        shutil.rmtree(data, ignore_errors=True)
    port = free_port()
    return Server("saccade", [context.build / "saccade", "serve", "--host", "127.0.0.1", "--port",
                              port, "--data-dir", data, *options], port, "/ready")


NGINX = """daemon off; {user} worker_processes {workers}; pid {work}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  types {{ image/jpeg jpg; }}
  client_body_temp_path {work}/nginx; proxy_temp_path {work}/nginx;
  fastcgi_temp_path {work}/nginx; uwsgi_temp_path {work}/nginx; scgi_temp_path {work}/nginx;
  server {{ listen 127.0.0.1:{port}; root {work}/www; }}
}}
"""


def nginx(workers):
    """nginx serving bench/work/www by sendfile."""
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = WORK / "nginx.conf"
    config.write_text(NGINX.format(user=user, workers=workers, work=WORK, port=port))
    return Server("nginx", [tool("nginx"), "-p", WORK, "-c", config], port, "/frame.jpg")


def upload(context, server, path, video_id):
    """Milliseconds; posted by a client that costs next to nothing."""
    text = execute([context.program("upload"), server.port, f"/api/v1/videos?id={video_id}", path])
    status, ms = text.split()[-2:]
    if not 200 <= int(status) < 300:
        raise BenchError(f"upload of {path.name}: {text.strip()}")
    return float(ms)


def video_frames(server, video_id):
    status, body = fetch(server.port, f"/api/v1/videos/{video_id}")
    if status != 200:
        raise BenchError(f"no video {video_id}: {status} {body[:200]}")
    return json.loads(body)["frames"]


def delete(server, video_id):
    fetch(server.port, f"/api/v1/videos/{video_id}", "DELETE")
