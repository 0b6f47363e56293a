#!/usr/bin/python3
"""A camera at a gate, for tests and the demonstration: an RTSP server whose picture is changed by commands.

Runs on Debian's python3-gi, gir1.2-gst-rtsp-server-1.0 and the GStreamer plugins base, good and ugly alone.
Prints `ready rtsp://127.0.0.1:PORT/cam` once, then one JSON line for every change of the picture:

    {"event": "shown", "command": "show", "file": "a.jpg", "utc_us": ..., "mono_us": ..., "viewers": 1}

with the UTC and CLOCK_MONOTONIC time, in microseconds, at which the first frame holding the new picture was pushed
into the encoder. A command that cannot be carried out gives {"event": "refused", "command": ..., "reason": ...}.

Commands, one a line on stdin; FILE is a JPEG:

    scene                              the gate without anybody
    show FILE                          the person of the photograph before the gate
    print FILE [LEFT TOP RIGHT BOTTOM] a paper print of the head, with a white border, held before the gate;
                                       the four fractions say which part of the photograph is the head
    walk FILE                          the person comes nearer and to the middle within two seconds, and stays
    crowd FILE FILE ...                several people at once, each as tall as the one before by three quarters
    plain GREY                         nothing but one brightness, 0 to 255: a lens cap, the sun
    hold                               no further frame; {"event": "held", "number": N}, of the last one pushed
    go                                 frames again
    size WIDTHxHEIGHT                  the stream goes on with frames of another size, and the scene
    garble COUNT                       so many encoded frames are noise instead of H.264
    quit                               (or the end of stdin)
"""

import argparse
import functools
import json
import os
import random
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtspServer  # noqa: E402,F401

DECODE_SECONDS = 2
DECODE_TRIES = 3
HEAD = (0.2, 0.0, 0.8, 0.55)
WALK_STEPS = 50
NUMBER_BITS, SQUARE = 16, 16


class Picture:
    """Packed BGR rows; the only picture format here."""

    def __init__(self, width, height, rows):
        self.width, self.height, self.rows = width, height, rows

    def paste(self, other, left, top):
        """A new picture with `other` over this one, cut at the edges."""
        rows = list(self.rows)
        cut = max(0, -left)
        keep = min(other.width, self.width - left) - cut
        if keep > 0:
            for y in range(max(0, -top), min(other.height, self.height - top)):
                row, start = rows[top + y], (left + cut) * 3
                patch = other.rows[y][cut * 3 : (cut + keep) * 3]
                rows[top + y] = row[:start] + patch + row[start + len(patch) :]
        return Picture(self.width, self.height, rows)

    def part(self, left, top, right, bottom):
        x0, x1 = int(left * self.width), int(right * self.width)
        rows = [row[x0 * 3 : x1 * 3] for row in self.rows[int(top * self.height) : int(bottom * self.height)]]
        return Picture(x1 - x0, len(rows), rows)

    def bordered(self, border, colour):
        width = self.width + 2 * border
        line = bytes(colour) * width
        side = bytes(colour) * border
        rows = [line] * border + [side + row + side for row in self.rows] + [line] * border
        return Picture(width, self.height + 2 * border, rows)

    @functools.cached_property
    def data(self):
        return b"".join(self.rows)


class Refused(Exception):
    """A command that cannot be carried out; its text is the reason."""


def photograph(path, height):
    """Decodes a JPEG at the given height, its proportions kept."""
    if not os.path.isfile(path):
        raise Refused(f"no such file: {path}")
    for _ in range(DECODE_TRIES):
        picture = decode(path, height)
        if picture is not None:
            return picture
    raise Refused(f"not a JPEG that can be read: {path}")


def decode(path, height):
    pipeline = Gst.parse_launch(
        "filesrc name=file ! jpegdec ! videoconvert ! videoscale method=lanczos ! "
        f"video/x-raw,format=BGR,height={height},pixel-aspect-ratio=1/1 ! appsink name=out sync=false"
    )
    pipeline.get_by_name("file").set_property("location", path)
    pipeline.set_state(Gst.State.PLAYING)
    try:
        sample = pipeline.get_by_name("out").try_pull_sample(DECODE_SECONDS * Gst.SECOND)
        if sample is None:
            return None
        shape = sample.get_caps().get_structure(0)
        width, tall = shape.get_value("width"), shape.get_value("height")
        data = sample.get_buffer().extract_dup(0, sample.get_buffer().get_size())
    finally:
        pipeline.set_state(Gst.State.NULL)
    stride = len(data) // tall
    return Picture(width, tall, [data[y * stride : y * stride + width * 3] for y in range(tall)])


def gate_scene(width, height):
    """A lobby wall in even light, a darker floor, and the two posts of a gate."""
    rows = []
    for y in range(height):
        wall = y < height * 3 // 4
        light = 0.80 + 0.30 * y / height
        colour = [int(c * light) for c in (150, 155, 160)] if wall else [90, 95, 100]
        row = bytearray(bytes(colour) * width)
        for post in (0.04, 0.93):
            start = int(width * post)
            row[start * 3 : (start + width * 3 // 100) * 3] = bytes([65, 60, 60]) * (width * 3 // 100)
        rows.append(bytes(row))
    return Picture(width, height, rows)


class Stage:
    """What the camera looks at: the scene, and the pictures still to be shown."""

    def __init__(self, width, height):
        self.scene = gate_scene(width, height)
        self.lock = threading.Lock()
        self.current = self.scene
        self.coming = []  # (picture, the report of its first frame or None)

    def play(self, pictures, report):
        with self.lock:
            self.coming = [(picture, None) for picture in pictures]
            self.coming[0] = (self.coming[0][0], report)

    def next(self):
        with self.lock:
            if not self.coming:
                return self.current, None
            self.current, report = self.coming.pop(0)
            return self.current, report

    def compose(self, words):
        """The pictures of a command, or Refused."""
        width, height = self.scene.width, self.scene.height
        command, rest = words[0], words[1:]
        if command == "scene" and not rest:
            return [self.scene]
        if command == "show" and len(rest) == 1:
            person = photograph(rest[0], height)
            return [self.scene.paste(person, (width - person.width) // 2, 0)]
        if command == "print" and len(rest) in (1, 5):
            try:
                head = tuple(float(word) for word in rest[1:]) or HEAD
            except ValueError:
                raise Refused("the head is four fractions between 0 and 1") from None
            if not (0 <= head[0] < head[2] <= 1 and 0 <= head[1] < head[3] <= 1):
                raise Refused("the head is four fractions between 0 and 1")
            tall = height * 5 // 8
            face = photograph(rest[0], int(tall / (head[3] - head[1]))).part(*head)
            paper = face.bordered(tall // 10, (244, 242, 240))
            return [self.scene.paste(paper, (width - paper.width) // 2, (height - paper.height) // 2)]
        if command == "crowd" and rest:
            scene, tall, left = self.scene, height, 0
            for path in rest:
                # The middle of the photograph alone, so that everybody has room.
                person = photograph(path, tall // 2 * 2).part(0.2, 0, 0.8, 1)
                scene, left, tall = scene.paste(person, left, height - person.height), left + person.width, tall * 3 // 4
            return [scene]
        if command == "plain" and len(rest) == 1 and rest[0].isdigit() and int(rest[0]) < 256:
            return [Picture(width, height, [bytes([int(rest[0])]) * (3 * width)] * height)]
        if command == "size" and len(rest) == 1:
            self.scene = gate_scene(*size_of(rest[0]))
            return [self.scene]
        if command == "walk" and len(rest) == 1:
            steps = []
            for step in range(WALK_STEPS):
                near = (step + 1) / WALK_STEPS
                person = photograph(rest[0], int(height * (0.6 + 0.4 * near)) // 2 * 2)
                left = int((width - person.width) * (0.15 + 0.35 * near))
                steps.append(self.scene.paste(person, left, height - person.height))
            return steps
        raise Refused("no such command")


class Camera:
    """Pushes frames at an even rate into whatever pipelines the RTSP server has made."""

    def __init__(self, stage, options):
        self.stage, self.options = stage, options
        self.sources, self.lock = [], threading.Lock()
        self.going, self.number, self.garbled = threading.Event(), 0, 0
        self.going.set()
        self.rand = random.Random(7)
        self.size = None

    def configure(self, _factory, media):
        source = media.get_element().get_by_name("src")
        encoded = media.get_element().get_by_name("encoder").get_static_pad("src")
        encoded.add_probe(Gst.PadProbeType.BUFFER, self.garble)
        with self.lock:
            self.sources.append(source)
        media.connect("unprepared", lambda _media: self.forget(source))

    def forget(self, source):
        with self.lock:
            self.sources = [other for other in self.sources if other is not source]

    def garble(self, pad, info):
        """Puts noise of the same length in place of an encoded frame, behind its start code."""
        if self.garbled <= 0:
            return Gst.PadProbeReturn.OK
        self.garbled -= 1
        frame = info.get_buffer()
        noise = Gst.Buffer.new_wrapped(b"\0\0\0\1\x65" + self.rand.randbytes(max(64, frame.get_size() - 5)))
        noise.pts, noise.dts, noise.duration = frame.pts, frame.dts, frame.duration
        pad.get_peer().chain(noise)
        return Gst.PadProbeReturn.DROP

    def noise_for(self, size):
        """Sensor noise: the lowest bits of every sample are random, as big integers because there is no numpy here."""
        self.size = size
        mask = int.from_bytes(bytes([(1 << self.options.noise) - 1]) * size, "little")
        self.noise = [int.from_bytes(self.rand.randbytes(size), "little") & mask for _ in range(8)]
        self.keep = int.from_bytes(b"\xff" * size, "little") ^ mask

    def frame(self, picture):
        """The bytes of the next frame."""
        data = picture.data
        if self.options.noise:
            if self.size != len(data):
                self.noise_for(len(data))
            noisy = int.from_bytes(data, "little") & self.keep | self.noise[self.number % len(self.noise)]
            data = noisy.to_bytes(len(data), "little")
        if self.options.numbered:
            bits = [self.number >> bit & 1 for bit in range(NUMBER_BITS)]
            line = b"".join((b"\xff" if bit else b"\0") * (3 * SQUARE) for bit in bits)
            numbered = bytearray(data)
            for y in range(SQUARE):
                numbered[y * picture.width * 3 : y * picture.width * 3 + len(line)] = line
            data = bytes(numbered)
        return data

    def hold(self):
        """No frame after the one that is being pushed; returns its number."""
        with self.lock:
            self.going.clear()
            return self.number

    def run(self):
        period = 1.0 / self.options.fps
        due = time.monotonic()
        while True:
            due = max(due + period, time.monotonic() - period)
            time.sleep(max(0.0, due - time.monotonic()))
            self.going.wait()
            with self.lock:
                if not self.going.is_set():
                    continue
                picture, report = self.stage.next()
                self.number += 1
                sources = list(self.sources)
            data, shape = self.frame(picture), Gst.Caps.from_string(caps(picture, self.options.fps))
            utc, mono = time.time_ns() // 1000, time.monotonic_ns() // 1000
            viewers = sum(push(source, shape, data) for source in sources)
            if report is not None:
                say({**report, "utc_us": utc, "mono_us": mono, "viewers": viewers})


def push(source, shape, data):
    """A frame into a pipeline that runs; whether it did.

    One that does not run yet has no time of its own: the time of a frame pushed into it is the clock's, hours ahead, and
    the server's sink waits for that time with all that come after.
    """
    _, state, _ = source.get_state(0)
    if state != Gst.State.PLAYING:
        return False
    frame = Gst.Buffer.new_wrapped(data)
    frame.pts = source.get_current_running_time()
    source.set_property("caps", shape)
    source.emit("push-buffer", frame)
    return True


def caps(picture, fps):
    return f"video/x-raw,format=BGR,width={picture.width},height={picture.height},framerate={fps}/1"


def size_of(text):
    """Width and height, multiples of four; Refused where there are none."""
    parts = text.split("x")
    if len(parts) != 2 or not all(part.isdigit() and 64 <= int(part) <= 4096 for part in parts):
        raise Refused("a size is WIDTHxHEIGHT, 64 to 4096 each")
    return tuple(int(part) // 4 * 4 for part in parts)


def say(report):
    print(json.dumps(report), flush=True)


def obey(stage, camera, loop):
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        if not words:
            continue
        if words == ["hold"]:
            say({"event": "held", "number": camera.hold()})
            continue
        if words == ["go"]:
            camera.going.set()
            continue
        if words[0] == "garble" and len(words) == 2 and words[1].isdigit():
            camera.garbled = int(words[1])
            continue
        try:
            pictures = stage.compose(words)
        except Refused as reason:
            say({"event": "refused", "command": words[0], "reason": str(reason)})
            continue
        report = {"event": "shown", "command": words[0]}
        if len(words) > 1:
            report["file"] = os.path.basename(words[1])
        stage.play(pictures, report)
    loop.quit()


def main():
    parser = argparse.ArgumentParser(description="A camera at a gate, over RTSP, for tests and the demonstration.")
    parser.add_argument("--port", type=int, default=0, help="0: the system chooses")
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument(
        "--numbered", action="store_true", help="number each frame by 16 black or white squares, the lowest bit first"
    )
    parser.add_argument("--noise", type=int, default=2, choices=range(0, 5), help="random low bits of each sample")
    options = parser.parse_args()
    try:
        size = size_of(options.size)
    except Refused as reason:
        sys.exit(str(reason))

    Gst.init(None)
    stage = Stage(*size)
    camera = Camera(stage, options)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( appsrc name=src is-live=true format=time block=false max-buffers=2 leaky-type=downstream "
        f"caps={caps(stage.scene, options.fps)} ! videoconvert ! video/x-raw,format=I420 "
        f"! x264enc name=encoder tune=zerolatency speed-preset=ultrafast key-int-max={options.fps} bitrate=4000 threads=1 "
        "! video/x-h264,stream-format=byte-stream ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
    )
    factory.set_shared(True)
    factory.set_latency(0)
    factory.connect("media-configure", camera.configure)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    server.get_mount_points().add_factory("/cam", factory)
    loop = GLib.MainLoop()
    if server.attach(None) == 0:
        sys.exit(f"port {options.port} is in use")
    threading.Thread(target=camera.run, daemon=True).start()
    threading.Thread(target=obey, args=(stage, camera, loop), daemon=True).start()
    print(f"ready rtsp://127.0.0.1:{server.get_bound_port()}/cam", flush=True)
    try:
        loop.run()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
