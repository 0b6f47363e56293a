// Takes a photograph of a face with this machine's camera: says what to do until it is good, shows the best of several good
// frames, and hands it to the form beside it (enrol.js). Until then a frame leaves this page only to be looked at.
"use strict";
(() => {
  const dialog = document.querySelector("dialog.camera");
  const open = document.querySelector("button.with-camera");
  if (!dialog || !open || !navigator.mediaDevices?.getUserMedia) return;

  // So many good frames one after the other: who moves meanwhile is asked to hold still.
  const GOOD = 4;
  // Looks are at least so far apart; the server takes no more.
  const EVERY_MS = 350;
  // Of a frame its middle is sent, upright, this high at most.
  const [WIDE, HIGH] = [3, 4];
  const MOST_HIGH = 960;
  const form = document.querySelector("form.enrol");
  const { person, token } = form.dataset;
  const video = dialog.querySelector("video");
  const best = dialog.querySelector("canvas");
  const hint = dialog.querySelector(".hint-now");
  const marks = [...dialog.querySelectorAll(".good-so-far i")];
  const [use, again, close] = ["use", "again", "close"].map((name) => dialog.querySelector(`button[name="${name}"]`));

  let stream = null;
  // A number for each time the camera was begun: what an earlier one still answers is nobody's.
  let turn = 0;
  let taken = null;

  const words = (code) => dialog.querySelector(`[data-code="${CSS.escape(code)}"]`)?.textContent;

  const say = (code) => {
    const said = words(code) ?? words("photo-other");
    // Said again it would be read again.
    if (hint.textContent !== said) hint.textContent = said;
    dialog.dataset.hint = code;
  };

  const count = (good) => marks.forEach((mark, at) => mark.classList.toggle("on", at < good));

  const stop = () => {
    turn += 1;
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
  };

  const show = (stage) => {
    dialog.dataset.stage = stage;
    for (const part of [use, again]) part.hidden = stage !== "taken";
    best.hidden = stage !== "taken";
    video.hidden = stage !== "looking";
  };

  const failed = (error) => {
    stop();
    show("failed");
    count(0);
    const codes = {
      NotAllowedError: "camera-refused", SecurityError: "camera-refused", NotFoundError: "camera-absent",
      OverconstrainedError: "camera-absent", NotReadableError: "camera-in-use", AbortError: "camera-in-use",
    };
    say(codes[error?.name] ?? "camera-failed");
    again.hidden = false;
  };

  // The middle of what the camera sees now.
  const frame = () => {
    const high = Math.min(video.videoHeight, (video.videoWidth * HIGH) / WIDE);
    const wide = (high * WIDE) / HIGH;
    const canvas = document.createElement("canvas");
    canvas.height = Math.min(high, MOST_HIGH);
    canvas.width = (canvas.height * WIDE) / HIGH;
    const [x, y] = [(video.videoWidth - wide) / 2, (video.videoHeight - high) / 2];
    canvas.getContext("2d").drawImage(video, x, y, wide, high, 0, 0, canvas.width, canvas.height);
    return canvas;
  };

  const picture = (canvas) => new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));

  const look = async (photo) => {
    const answer = await fetch(`/api/v1/people/${person}/face/look`, {
      method: "POST",
      headers: { "x-csrf-token": token, "content-type": "application/octet-stream", accept: "application/json" },
      body: photo,
    });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    // Too soon, or the vision process has no hand free: the next frame is as good.
    if (answer.status === 429) return null;
    if (answer.status === 503) return { hint: "vision-away" };
    return { hint: (said.type ?? "").split("/").pop(), ends: true };
  };

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  const watch = async (mine) => {
    let good = [];
    while (turn === mine) {
      const begun = performance.now();
      const canvas = frame();
      const photo = await picture(canvas);
      const said = photo && (await look(photo).catch(() => ({ hint: "vision-away" })));
      if (turn !== mine) return;
      if (said?.ends) {
        stop();
        show("failed");
        return say(said.hint);
      }
      if (said?.hint) {
        good = [];
        say(said.hint);
      } else if (said) {
        good.push({ canvas, photo, quality: said.quality });
        say(good.length === 1 ? "camera-good" : "camera-still");
      }
      count(good.length);
      if (good.length >= GOOD) return take(good.reduce((one, other) => (other.quality > one.quality ? other : one)));
      await pause(Math.max(0, EVERY_MS - (performance.now() - begun)));
    }
  };

  const take = ({ canvas, photo }) => {
    stop();
    best.width = canvas.width;
    best.height = canvas.height;
    best.getContext("2d").drawImage(canvas, 0, 0);
    taken = photo;
    show("taken");
    say("camera-taken");
    use.focus();
  };

  const begin = async () => {
    stop();
    const mine = turn;
    taken = null;
    count(0);
    show("looking");
    say("camera-starting");
    try {
      const wanted = { video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } }, audio: false };
      const begun = await navigator.mediaDevices.getUserMedia(wanted);
      // Closed while the browser still asked.
      if (turn !== mine) return begun.getTracks().forEach((track) => track.stop());
      stream = begun;
      stream.getVideoTracks()[0].addEventListener("ended", () => turn === mine && failed());
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      return turn === mine && failed(error);
    }
    watch(mine).catch((error) => turn === mine && failed(error));
  };

  open.addEventListener("click", () => {
    dialog.showModal();
    begin();
  });
  again.addEventListener("click", begin);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    stop();
    taken = null;
    open.focus();
  });
  use.addEventListener("click", () => {
    if (!taken) return;
    const files = new DataTransfer();
    files.items.add(new File([taken], "camera.jpg", { type: "image/jpeg" }));
    form.elements.photo.files = files.files;
    // Somebody stood there just now: it must be a living face. A file that is chosen afterwards is one again.
    form.dataset.capture = "true";
    dialog.close();
    form.requestSubmit();
  });
  form.elements.photo.addEventListener("change", () => delete form.dataset.capture);
  open.hidden = false;
})();
