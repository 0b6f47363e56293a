"""`face_recognition` on the frames that `vision`'s example laid into a folder: `frame.py FOLDER`.

Says in one line of JSON what it is, which faces it found (`[x, y, width, height]`) and which pairs of frames show the
same person; then, for every line on standard input that names a case, one line with the microseconds of thread CPU a
frame, by stage. `default` enlarges the frame to twice its size first, as the library does unless told not to.
"""

import importlib.metadata
import itertools
import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import dlib
import face_recognition
import numpy as np
from PIL import Image

folder = sys.argv[1]
names = sorted(name[:-4] for name in os.listdir(folder) if name.endswith(".png"))
frames = {name: np.array(Image.open(os.path.join(folder, name + ".png")).convert("RGB")) for name in names}
upsample = {"default": 1, "plain": 0}


def look(frame, case):
    start = time.thread_time_ns()
    places = face_recognition.face_locations(frame, number_of_times_to_upsample=upsample[case])
    found = time.thread_time_ns()
    numbers = face_recognition.face_encodings(frame, places)
    return places, numbers, found - start, time.thread_time_ns() - found


def cost(case):
    detect = embed = 0
    for frame in frames.values():
        _, _, found, embedded = look(frame, case)
        detect, embed = detect + found, embed + embedded
    detect, embed = detect / len(frames) / 1e3, embed / len(frames) / 1e3
    return {"detect": detect, "align and embed": embed, "frame": detect + embed}


def seen(case):
    faces, people = {}, []
    for name, frame in frames.items():
        places, numbers, _, _ = look(frame, case)
        faces[name] = [[left, top, right - left, bottom - top] for top, right, bottom, left in places]
        people += [(name, it) for it in numbers]
    pairs = itertools.combinations(people, 2)
    same = [[a, b] for (a, one), (b, other) in pairs if face_recognition.compare_faces([one], other)[0]]
    return {"faces": faces, "same": same}


said = {
    "version": importlib.metadata.version("face_recognition"),
    "dlib": dlib.__version__,
    "blas": dlib.DLIB_USE_BLAS,
    "avx": dlib.USE_AVX_INSTRUCTIONS,
}
print(json.dumps(said | {"seen": {case: seen(case) for case in upsample}}), flush=True)
for line in sys.stdin:
    print(json.dumps(cost(line.strip())), flush=True)
