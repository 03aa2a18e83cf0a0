// The unmodified Ably SDK for JavaScript talks with an edge's sandbox; prints one line a check.
//
// Run by test_node_sdk.py: node sdk_conversation.cjs PORT msgpack|json VENDOR_FOLDER
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [port, format, vendor] = [Number(process.argv[2]), process.argv[3], process.argv[4]];
const warn = console.log;
console.log = () => {};
const Ably = require(path.join(vendor, "ably.min.js"));
console.log = warn;
vm.runInThisContext(fs.readFileSync(path.join(vendor, "vcdiff-decoder.min.js"), "utf8"));
const vcdiff = globalThis.vcdiffDecoder;

let key;
let app;
const options = (more) => ({
  key,
  endpoint: "127.0.0.1",
  port,
  tls: false,
  useBinaryProtocol: format === "msgpack",
  transports: ["web_socket"],
  disableConnectivityCheck: true,
  logLevel: 0,
  ...more,
});
const realtime = (more) => new Ably.Realtime(options(more));
const rest = (more) => new Ably.Rest(options(more));
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function check(name, isRight, seen) {
  console.log(isRight ? `ok ${name}` : `FAIL ${name} ${JSON.stringify(seen)}`);
}

async function until(probe) {
  for (let i = 0; i < 500; i++) {
    if (await probe()) return;
    await pause(10);
  }
}

async function code(promise) {
  try {
    await promise;
    return 0;
  } catch (error) {
    return error.code;
  }
}

const scenes = {
  async presence() {
    const ann = realtime({ clientId: "ann" });
    const bob = realtime({ clientId: "bob" });
    const here = ann.channels.get("presence");
    const there = bob.channels.get("presence");
    const seen = [];
    await there.presence.subscribe((m) => seen.push([m.action, m.clientId, m.data]));
    await here.presence.enter({ x: 1 });
    await here.presence.update("two");
    const late = realtime({ clientId: "late" });
    const members = await late.channels.get("presence").presence.get();
    check("members are synced", members.length === 1 && members[0].data === "two", members);
    await here.presence.leave();
    await until(() => seen.length === 3);
    const expected = [["enter", "ann", { x: 1 }], ["update", "ann", "two"], ["leave", "ann", "two"]];
    check("members are told", same(seen, expected), seen);
    await here.presence.enter("again");
    ann.close();
    await until(() => seen.length === 5);
    check("closing leaves", seen[4][0] === "leave", seen);
    const page = await rest().channels.get("presence").presence.history();
    check("presence has a history", page.items.length === 5, page.items);
    bob.close();
    late.close();
  },

  async annotations() {
    const client = realtime({ clientId: "ann" });
    const modes = ["publish", "subscribe", "annotation_publish", "annotation_subscribe"];
    const channel = client.channels.get("mutable:notes", { modes });
    const notes = [];
    const messages = [];
    await channel.annotations.subscribe((note) => notes.push(note));
    await channel.subscribe((message) => messages.push(message));
    const { serials } = await channel.publish("message", "text");
    await channel.annotations.publish(serials[0], { type: "reaction:distinct.v1", name: "up" });
    await until(() => notes.length === 1 && messages.length === 2);
    check("an annotation arrives", notes[0].action === "annotation.create", notes);
    const summary = messages[1].annotations.summary["reaction:distinct.v1"];
    check("a summary arrives", messages[1].action === "message.summary" && summary.up.total === 1, messages);
    await channel.annotations.delete(serials[0], { type: "reaction:distinct.v1", name: "up" });
    const found = await channel.annotations.get(serials[0], {});
    check("annotations are listed", found.items.length === 2, found.items);
    client.close();
  },

  async changes() {
    const client = realtime();
    const channel = client.channels.get("mutable:changes");
    const heard = [];
    await channel.subscribe((message) => heard.push(message));
    const { serials } = await channel.publish("name", { v: 1 });
    await channel.updateMessage({ serial: serials[0], data: { v: 2 } }, { description: "why" });
    await channel.deleteMessage({ serial: serials[0], data: {} });
    await until(() => heard.length === 3);
    const actions = heard.map((message) => message.action);
    check("changes arrive", same(actions, ["message.create", "message.update", "message.delete"]), heard);
    check("a version says why", heard[1].version.description === "why" && heard[1].name === "name", heard);
    const versions = await channel.getMessageVersions(serials[0]);
    check("versions are listed", versions.items.length === 3, versions.items);
    const second = await channel.publish("o", "Hello");
    await channel.appendMessage({ serial: second.serials[0], data: " World" });
    const other = realtime();
    const rewound = other.channels.get("mutable:changes", { params: { rewind: "1" } });
    const message = await new Promise((resolve) => rewound.subscribe(resolve));
    check("a late comer gets the whole", message.data === "Hello World", message);
    client.close();
    other.close();
  },

  async deltas() {
    let decoded = 0;
    const decode = (delta, base) => {
      decoded += 1;
      return vcdiff.decode(delta, base);
    };
    const client = realtime({ plugins: { vcdiff: { decode } } });
    const channel = client.channels.get("deltas", { params: { delta: "vcdiff" } });
    const heard = [];
    await channel.subscribe((message) => heard.push(message.data));
    const sent = [1, 2, 3, 4, 5].map((count) => ({ foo: "bar", count, status: "active" }));
    for (const data of sent) await channel.publish("odds", data);
    await until(() => heard.length === 5);
    check("deltas are decoded", same(heard, sent) && decoded === 4, [decoded, heard]);
    await channel.publish(sent.map((data) => ({ name: "odds", data })));
    await until(() => heard.length === 10);
    check("deltas within a publication", same(heard.slice(5), sent), heard);
    channel._lastPayload.messageId = null;
    let reason = 0;
    channel.on("attaching", (change) => (reason = change.reason.code));
    await channel.publish("odds", { foo: "bar", count: 9, status: "active" });
    await until(() => heard.length === 11);
    check("a missed base is made good", reason === 40018 && heard.length === 11, [reason, heard]);
    client.close();
  },

  async filters() {
    const client = realtime();
    const filter = "name == 'yes' && headers.n > `3`";
    const heard = [];
    await client.channels.getDerived("derived", { filter }).subscribe((m) => heard.push(m.name));
    const sender = rest().channels.get("derived");
    for (const [name, n] of [["yes", 5], ["yes", 1], ["no", 5], ["yes", 4]]) {
      await sender.publish({ name, extras: { headers: { n } } });
    }
    await until(() => heard.length === 2);
    check("a filter lets through what fits", same(heard, ["yes", "yes"]), heard);
    client.close();
  },

  async modes() {
    const client = realtime();
    const params = { modes: "subscribe", delta: "vcdiff" };
    const channel = client.channels.get("modes", { params: { ...params, unknown: "x" } });
    await channel.attach();
    check("parameters are echoed", same(channel.params, params), channel.params);
    check("modes are echoed", same(channel.modes, ["subscribe"]), channel.modes);
    check("modes bind", (await code(channel.publish("a", "b"))) === 40160);
    client.close();
  },

  async tokens() {
    const revoking = rest({ key: app.keys[1].keyStr });
    const token = await revoking.auth.requestToken({ clientId: "zed" });
    const client = realtime({ key: undefined, token: token.token });
    await client.connection.whenState("connected");
    const dropped = new Promise((resolve) => client.connection.once("disconnected", resolve));
    const result = await revoking.auth.revokeTokens([{ type: "clientId", value: "zed" }]);
    check("a token is revoked", result.successCount === 1, result);
    const change = await dropped;
    check("its connection ends", change.reason.code === 40141, change.reason);
    client.close();
    const short = realtime({
      key: undefined,
      authCallback: (_params, done) => {
        rest().auth.requestToken({ ttl: 1500, clientId: "x" }).then((t) => done(null, t), done);
      },
    });
    await short.connection.whenState("connected");
    const id = short.connection.id;
    await new Promise((resolve) => short.connection.once("disconnected", resolve));
    await short.connection.whenState("connected");
    check("an expired token is renewed and the connection goes on", short.connection.id === id);
    short.close();
  },

  async recovery() {
    const first = realtime();
    const channel = first.channels.get("recovered");
    await channel.attach();
    await channel.publish("1", "x");
    const [recover, id] = [first.connection.createRecoveryKey(), first.connection.id];
    await rest().channels.get("recovered").publish("2", "x");
    const second = realtime({ recover });
    const heard = [];
    await second.channels.get("recovered").subscribe((message) => heard.push(message.name));
    await until(() => heard.length === 1);
    check("a connection is recovered", second.connection.id === id && same(heard, ["2"]), heard);
    first.close();
    second.close();
  },

  async push() {
    const client = realtime();
    const channel = client.channels.get("pushenabled:sink");
    const heard = [];
    await channel.subscribe("__ably_push__", (message) => heard.push(JSON.parse(message.data)));
    const recipient = { transportType: "ablyChannel", channel: channel.name, ablyKey: key };
    await client.push.admin.publish(recipient, { data: { foo: "bar" } });
    await until(() => heard.length === 1);
    check("a push arrives", heard[0].data.foo === "bar", heard);
    client.close();
  },
};

(async () => {
  const asked = {
    keys: [{}, { revocableTokens: true }],
    namespaces: [{ id: "mutable", mutableMessages: true }, { id: "pushenabled", pushEnabled: true }],
  };
  const response = await fetch(`http://127.0.0.1:${port}/apps`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(asked),
  });
  app = await response.json();
  key = app.keys[0].keyStr;
  for (const [name, scene] of Object.entries(scenes)) {
    const late = pause(15000).then(() => Promise.reject(new Error("took too long")));
    await Promise.race([scene(), late]).catch((error) => check(name, false, String(error)));
  }
  console.log("done");
  process.exit(0);
})();
