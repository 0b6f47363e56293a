// From MQTT to a durable row, as one would write it with `mqtt` and `better-sqlite3`: `ingest.js PORT PKI DATABASE`.
//
// It takes the same payloads from the same kind of broker with the same certificate as the server does, and sends the
// same acknowledgement after its commit; it keeps no hash chain. Tuned: write-ahead log with every commit synced to the
// disk, one prepared statement, and whatever has come in meanwhile goes into one transaction. With a fourth word,
// `screens`, it tells every WebSocket after the commit: see `fanout.js`. Says `ready`.
'use strict';
const fs = require('fs');
const path = require('path');
const mqtt = require('mqtt');
const Database = require('better-sqlite3');

const [port, pki, file, screens] = process.argv.slice(2);
const fanout = screens && require('./fanout.js');
const db = new Database(file);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.pragma('cache_size = -32768');
db.exec(`CREATE TABLE journal (
  seq INTEGER PRIMARY KEY, received INTEGER NOT NULL, source TEXT NOT NULL, epoch INTEGER NOT NULL,
  stream TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (source, epoch, stream, number)) STRICT`);
const insert = db.prepare(`INSERT INTO journal (received, source, epoch, stream, number, at, kind, body)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);

let waiting = [];
const commit = db.transaction((messages) => {
  const complete = new Map();
  const received = Date.now() * 1000;
  const told = [];
  for (const [topic, payload] of messages) {
    const [, , source, , stream] = topic.split('/');
    const batch = JSON.parse(payload);
    told.push([source, batch.events]);
    for (const event of batch.events) {
      insert.run(received, source, batch.epoch, stream, event.seq, event.at, event.kind, JSON.stringify(event.data));
    }
    // One connection per source and stream: the broker keeps their order, so the last number is the highest.
    const lane = `gatehouse/v1/${source}/ack/${stream}`;
    const before = complete.get(lane)?.up_to ?? 0;
    const last = batch.events.at(-1).seq;
    complete.set(lane, { v: 1, epoch: batch.epoch, up_to: Math.max(before, last) });
  }
  return [complete, told];
});

function flush() {
  const messages = waiting;
  waiting = [];
  const [complete, told] = commit.immediate(messages);
  for (const [topic, ack] of complete) client.publish(topic, JSON.stringify(ack), { qos: 0 });
  if (fanout) for (const [source, events] of told) fanout.tell(source, events);
}

const read = (name) => fs.readFileSync(path.join(pki, name));
const client = mqtt.connect({
  protocol: 'mqtts', host: 'localhost', port: Number(port), clientId: 'server', protocolVersion: 5, clean: false,
  properties: { sessionExpiryInterval: 3600 },
  ca: read('ca.pem'), cert: read('server.pem'), key: read('server.key'),
});
client.on('message', (topic, payload) => {
  if (waiting.push([topic, payload]) === 1) setImmediate(flush);
});
client.on('connect', () => {
  client.subscribe(['gatehouse/v1/+/event/urgent', 'gatehouse/v1/+/event/bulk'], { qos: 1 }, (error) => {
    if (error) throw error;
    const versions = { node: process.version, sqlite: db.prepare('SELECT sqlite_version()').pluck().get() };
    for (const name of ['mqtt', 'better-sqlite3', 'ws']) versions[name] = require(`${name}/package.json`).version;
    const say = (web) => console.log(`ready ${JSON.stringify({ ...versions, web })}`);
    if (fanout) fanout.listen(say); else say();
  });
});
