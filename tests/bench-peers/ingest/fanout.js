// From MQTT to a durable row and to every screen, as one would write it with `mqtt`, `better-sqlite3` and `ws`:
// `ingest.js PORT PKI DATABASE screens`.
//
// `ingest.js` takes the events; after its commit each is sent to every WebSocket from here. Tuned: an event is written as
// text once for all, no compression; the same TLS as the console's.
'use strict';
const fs = require('fs');
const https = require('https');
const path = require('path');
const { WebSocketServer, WebSocket } = require('ws');

const pki = process.argv[3];
const read = (name) => fs.readFileSync(path.join(pki, name));
const server = https.createServer({ cert: read('web.pem'), key: read('web.key') });
const sockets = new WebSocketServer({ server, perMessageDeflate: false, skipUTF8Validation: true });

let seq = 0;
exports.tell = (source, events) => {
  for (const event of events) {
    seq += 1;
    const text = Buffer.from(JSON.stringify({ seq, source, at: event.at, kind: event.kind, body: event.data }));
    for (const socket of sockets.clients) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text, { binary: false });
    }
  }
};
exports.listen = (said) => server.listen(0, '127.0.0.1', () => said(server.address().port));
