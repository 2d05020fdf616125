#!/usr/bin/node
// A sink: counts events by type, and writes the counts into a file before it answers. Up to eight events are
// under way at once. options = path=/run/counts.json
'use strict';
const fs = require('fs');
const lines = require('readline').createInterface({ input: process.stdin });
const say = (kind, members) => process.stdout.write(JSON.stringify({ [kind]: members }) + '\n');
const counts = new Map();
let options;

function hello({ hello }) {
    options = hello.options;
    if (!options.path) {
        say('error', { option: 'path', reason: 'is missing' });
        process.exit(78);
    }
    if (fs.existsSync(options.path))
        Object.entries(JSON.parse(fs.readFileSync(options.path))).forEach(([k, n]) => counts.set(k, n));
    say('ready', { protocol: 1, max_in_flight: 8 });
}

function deliver({ token, event }) {
    counts.set(event.type, (counts.get(event.type) || 0) + 1);
    fs.writeFileSync(options.path + '.new', JSON.stringify(Object.fromEntries(counts)));
    fs.renameSync(options.path + '.new', options.path);
    say('answer', { token, code: 'ok' });
}

lines.on('line', line => {
    const message = JSON.parse(line);
    if (message.hello) hello(message);
    else if (message.deliver) deliver(message.deliver);
    else if (message.stop) process.exit(0);
});
lines.on('close', () => process.exit(0));
