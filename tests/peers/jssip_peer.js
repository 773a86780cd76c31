#!/usr/bin/env node
// A JsSIP user agent over WebSocket, driven from the command line.
//
// The SIP side is JsSIP as a browser has it, its transport included, over the WebSocket of npm's `ws`. There is no media in node: a
// stand-in for RTCPeerConnection writes descriptions and takes them. Prints one JSON object a line on standard output; the first
// event is "registered", the last one "result". Exits 0 if everything asked for happened, 1 if not, 2 for a wrong command line.
//
// node jssip_peer.js MODULES --server ws://127.0.0.1:8080 --aor sip:alice@example.com --password P --timeout S
//     [--answer | --call URI] [--hangup-after S] [--expect CODE] [--hold]
'use strict';

const path = require('path');

const [modules, ...words] = process.argv.slice(2);
const options = {};
for (let at = 0; at < words.length; at += 1) {
    const name = words[at].replace(/^--/, '');
    const flag = name === 'answer' || name === 'hold';
    options[name] = flag ? true : words[(at += 1)];
}
if (!modules || !options.server || !options.aor) {
    console.error('MODULES, --server and --aor are needed');
    process.exit(2);
}

/** The media side: descriptions of one audio stream that goes nowhere. */
class Descriptions extends EventTarget {
    constructor() {
        super();
        Object.assign(this, { iceGatheringState: 'complete', iceConnectionState: 'new', signalingState: 'stable' });
        Object.assign(this, { localDescription: null, remoteDescription: null, version: 0 });
    }

    write(direction) {
        this.version += 1;
        return [
            'v=0', `o=- 1 ${this.version} IN IP4 127.0.0.1`, 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', 'm=audio 49170 RTP/AVP 0',
            'a=rtpmap:0 PCMU/8000', `a=${direction}`, '',
        ].join('\r\n');
    }

    async createOffer() {
        return { type: 'offer', sdp: this.write('sendrecv') };
    }

    async createAnswer() {
        const held = /^a=sendonly/m.test(this.remoteDescription.sdp);
        return { type: 'answer', sdp: this.write(held ? 'recvonly' : 'sendrecv') };
    }

    async setLocalDescription(description) {
        this.localDescription = description;
        this.signalingState = description.type === 'offer' ? 'have-local-offer' : 'stable';
    }

    async setRemoteDescription(description) {
        if (!/^m=audio [1-9]/m.test(description.sdp)) {
            throw new Error(`no audio in ${description.sdp}`);
        }
        this.remoteDescription = description;
        this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable';
    }

    getSenders() {
        return [];
    }

    addTrack() {}

    close() {
        this.signalingState = 'closed';
    }
}

/** A stream without tracks. */
class Silence {
    getTracks() {
        return [];
    }

    getAudioTracks() {
        return [];
    }

    getVideoTracks() {
        return [];
    }
}

globalThis.window = globalThis;
globalThis.WebSocket = require(path.join(modules, 'ws'));
globalThis.RTCPeerConnection = Descriptions;
globalThis.RTCSessionDescription = class {
    constructor(description) {
        Object.assign(this, description);
    }
};
const JsSIP = require(path.join(modules, 'jssip'));

const emit = (event, fields = {}) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

let over = false;
function finish(ok, why) {
    if (over) {
        return;
    }
    over = true;
    emit('result', { ok, why });
    // Unregisters, and then closes the connection.
    ua.stop();
    setTimeout(() => process.exit(ok ? 0 : 1), 300);
}

const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(options.server)],
    uri: options.aor,
    password: options.password,
    register_expires: 60,
    session_timers: false,
});
const media = { mediaConstraints: { audio: false, video: false }, mediaStream: new Silence() };
setTimeout(() => finish(false, 'time is up'), Number(options.timeout || 20) * 1000);

/** Notes what becomes of a call, and acts on it. */
function follow(session) {
    session.on('progress', event => emit('progress', { status: event.response && event.response.status_code }));
    session.on('confirmed', () => {
        const contact = session.remote_identity.uri.toString();
        emit('confirmed', { contact });
        const hangUp = () => setTimeout(() => session.terminate(), Number(options['hangup-after']) * 1000);
        if (options.hold) {
            const held = session.hold({}, () => {
                emit('held');
                session.unhold({}, () => {
                    emit('resumed');
                    hangUp();
                });
            });
            if (!held) {
                finish(false, 'hold is refused');
            }
        } else if (options['hangup-after'] !== undefined) {
            hangUp();
        }
    });
    session.on('ended', event => {
        emit('ended', { by: event.originator, cause: event.cause });
        // What ends the call is answered first.
        setTimeout(() => finish(options.expect === undefined, event.cause), 100);
    });
    session.on('failed', event => {
        const status = event.message && event.message.status_code;
        emit('failed', { by: event.originator, cause: event.cause, status });
        finish(status === Number(options.expect), event.cause);
    });
}

ua.on('disconnected', event => emit('disconnected', { code: event.code, error: event.error }));
ua.on('registrationFailed', event => {
    const status = event.response && event.response.status_code;
    emit('refused', { status });
    finish(status === Number(options.expect), event.cause);
});
ua.once('registered', event => {
    emit('registered', { contact: ua.contact.toString(), status: event.response.status_code });
    if (options.call) {
        ua.call(options.call, media);
    } else if (!options.answer) {
        finish(true, 'registered');
    }
});
ua.on('newRTCSession', ({ originator, session }) => {
    emit('call', { originator });
    follow(session);
    if (originator === 'remote') {
        session.answer(media);
    }
});
ua.start();
