"""libosdp on a serial line, driven by lines on standard input.

    peer.py pd DEVICE ADDRESS KEY|- [enforce] [install]
    peer.py cp DEVICE ADDRESS KEY|- [enforce]

Writes one line for everything that happens, words and hexadecimal only.
"""

import os
import sys
import threading
import time

import osdp
from osdp import Capability, Channel, Command, Event, LibFlag, PDCapabilities, PDInfo, StatusReportType


class Line(Channel):
    def __init__(self, path):
        super().__init__()
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def read(self, max_bytes):
        try:
            return os.read(self.fd, max_bytes)
        except BlockingIOError:
            return b""

    def write(self, buf):
        try:
            return os.write(self.fd, buf)
        except BlockingIOError:
            return 0

    def flush(self):
        pass


def say(*words):
    print(*words, flush=True)


def refresh(stop, lock, ctx):
    while not stop.is_set():
        with lock:
            ctx.refresh()
        time.sleep(0.001)


FILE = {"data": bytearray(), "sent": b""}


def file_ops():
    def opened(file_id, size):
        FILE["data"] = bytearray(size)
        return len(FILE["sent"]) or size

    def read(size, offset):
        return bytes(FILE["sent"][offset : offset + size])

    def write(data, offset):
        FILE["data"][offset : offset + len(data)] = data
        return len(data)

    def closed(file_id):
        say("file", bytes(FILE["data"]).hex() or "-")

    return {"open": opened, "read": read, "write": write, "close": closed}


def run_pd(line, address, key, flags):
    capabilities = PDCapabilities(
        [
            (Capability.ContactStatusMonitoring, 1, 4),
            (Capability.OutputControl, 1, 2),
            (Capability.LEDControl, 1, 1),
            (Capability.TextOutput, 1, 1),
            (Capability.CommunicationSecurity, 1, 1),
        ]
    )

    def handle(command):
        kind = command["command"]
        if kind == Command.Output:
            say("output", command["output_no"], command["control_code"], command["timer_count"])
        elif kind == Command.LED:
            say("led", command["led_number"], command["on_color"])
        elif kind == Command.Text:
            say("text", command["data"].encode().hex())
        elif kind == Command.Manufacturer:
            say("mfg", format(command["vendor_code"], "06x"), command["data"].hex())
        elif kind == Command.Keyset:
            say("keyset", command["data"].hex())
        elif kind == Command.FileTransfer:
            say("filetransfer")
        return 0, None

    pd = osdp.PeripheralDevice(
        PDInfo(address, line, scbk=key, flags=flags), capabilities, command_handler=handle
    )
    pd.refresh = refresh
    pd.start()
    pd.register_file_ops(file_ops())
    say("ready")
    for words in map(str.split, sys.stdin):
        if words[0] == "card":
            data = bytes.fromhex(words[2])
            pd.submit_event(
                {"event": Event.CardRead, "reader_no": 0, "format": 1, "direction": 0,
                 "length": int(words[1]), "data": data}
            )
        elif words[0] == "keys":
            pd.submit_event({"event": Event.KeyPress, "reader_no": 0, "data": bytes.fromhex(words[1])})
        elif words[0] == "status":
            kind = {"local": StatusReportType.Local, "input": StatusReportType.Input}[words[1]]
            pd.submit_event({"event": Event.Status, "type": kind, "report": bytes.fromhex(words[2])})
        elif words[0] == "mfgrep":
            pd.submit_event(
                {"event": Event.ManufacturerReply, "vendor_code": int(words[1], 16), "data": bytes.fromhex(words[2])}
            )
        elif words[0] == "secure":
            say("secure", int(pd.is_sc_active()))
    pd.teardown()


def run_cp(line, address, key, flags):
    def happened(pd, event):
        kind = event["event"]
        if kind == Event.CardRead:
            say("card", event["length"], event["data"].hex())
        elif kind == Event.KeyPress:
            say("keys", event["data"].hex())
        elif kind == Event.ManufacturerReply:
            say("mfgrep", format(event["vendor_code"], "06x"), event["data"].hex())
        elif kind == Event.Status:
            say("status", event["type"], event["report"].hex())
        return 0

    def completed(address, command, status):
        say("completed", command["command"], status)

    cp = osdp.ControlPanel(
        [PDInfo(address, line, scbk=key, flags=flags)],
        event_handler=happened,
        command_completion_handler=completed,
    )
    cp.refresh = refresh
    cp.start()
    cp.register_file_ops(address, file_ops())
    say("ready")

    def watch():
        before = None
        while True:
            now = (int(cp.is_online(address)), int(cp.is_sc_active(address)))
            if now != before:
                say("link", *now)
                before = now
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    for words in map(str.split, sys.stdin):
        if words[0] == "output":
            number, code, timer = map(int, words[1:])
            cp.submit_command(
                address,
                {"command": Command.Output, "output_no": number, "control_code": code, "timer_count": timer},
            )
        elif words[0] == "text":
            cp.submit_command(
                address,
                {"command": Command.Text, "reader": 0, "control_code": 1, "temp_time": 0, "offset_row": 1,
                 "offset_col": 1, "data": bytes.fromhex(words[1]).decode()},
            )
        elif words[0] == "mfg":
            cp.submit_command(
                address,
                {"command": Command.Manufacturer, "vendor_code": int(words[1], 16), "data": bytes.fromhex(words[2])},
            )
        elif words[0] == "keyset":
            cp.submit_command(address, {"command": Command.Keyset, "type": 1, "data": bytes.fromhex(words[1])})
        elif words[0] == "istat":
            cp.submit_command(address, {"command": Command.Status, "type": StatusReportType.Input})
        elif words[0] == "file":
            FILE["sent"] = bytes.fromhex(words[1])
            cp.submit_command(address, {"command": Command.FileTransfer, "id": 1, "flags": 0})
    cp.teardown()


def main():
    role, path, address, key = sys.argv[1:5]
    flags = [
        {"enforce": LibFlag.EnforceSecure, "install": LibFlag.InstallMode}[word] for word in sys.argv[5:]
    ]
    key = None if key == "-" else bytes.fromhex(key)
    {"pd": run_pd, "cp": run_cp}[role](Line(path), int(address), key, flags)
    os._exit(0)


main()
