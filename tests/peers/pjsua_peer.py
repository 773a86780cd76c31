#!/usr/bin/env python3
"""A PJSIP user agent on the loopback, driven from the command line.

Prints one JSON object a line on standard output, flushed at once; the library's
log goes to --log. The first event is "ready": the port is bound. The last one is
"result". Exits 0 if everything asked for happened, 1 if not, 2 for a wrong
command line. Everything runs on the main thread, in one event loop.
"""

import argparse
import json
import os
import signal
import time

import pjsua2 as pj

DIRECTIONS = {
    pj.PJMEDIA_DIR_NONE: "inactive",
    pj.PJMEDIA_DIR_ENCODING: "sendonly",
    pj.PJMEDIA_DIR_DECODING: "recvonly",
    pj.PJMEDIA_DIR_ENCODING_DECODING: "sendrecv",
}
MEDIA = {
    pj.PJSUA_CALL_MEDIA_NONE: "none",
    pj.PJSUA_CALL_MEDIA_ACTIVE: "active",
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "local-hold",
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote-hold",
    pj.PJSUA_CALL_MEDIA_ERROR: "error",
}
TRANSPORTS = {
    "udp": pj.PJSIP_TRANSPORT_UDP,
    "tcp": pj.PJSIP_TRANSPORT_TCP,
    "tls": pj.PJSIP_TRANSPORT_TLS,
}
TIMERS = {
    "off": pj.PJSUA_SIP_TIMER_INACTIVE,
    "optional": pj.PJSUA_SIP_TIMER_OPTIONAL,
    "required": pj.PJSUA_SIP_TIMER_REQUIRED,
    "always": pj.PJSUA_SIP_TIMER_ALWAYS,
}
RELIABLE = {
    "off": pj.PJSUA_100REL_NOT_USED,
    "optional": pj.PJSUA_100REL_OPTIONAL,
    "required": pj.PJSUA_100REL_MANDATORY,
}


# The library prints on standard output before it knows its log level: that
# descriptor is closed to it in main, and the events keep a copy.
EVENTS = os.fdopen(os.dup(1), "w")


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), file=EVENTS, flush=True)


class Call(pj.Call):
    """One call. Callbacks note what happened; `step` acts on it."""

    def __init__(self, peer, account, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(account, call_id)
        self.peer = peer
        self.number = peer.numbers
        peer.numbers += 1
        self.made = time.monotonic()
        self.confirmed = None
        self.ended = False
        self.hung_up = False
        self.incoming = call_id != pj.PJSUA_INVALID_ID
        self.answered = False
        # Hold: "", "holding", "held", "resuming", "resumed".
        self.hold = ""
        self.hold_since = 0.0
        self.code = 0
        # Whether this call was transferred, and the call to whom it is to be put through.
        self.transferring = False
        self.asking = None

    def onCallState(self, prm):
        info = self.getInfo()
        emit("state", call=self.number, state=info.stateText, code=info.lastStatusCode)
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.confirmed = time.monotonic()
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.ended = True
            self.code = info.lastStatusCode
            emit(
                "ended",
                call=self.number,
                code=info.lastStatusCode,
                reason=info.lastReason,
                confirmed=self.confirmed is not None,
                seconds=info.connectDuration.sec,
            )

    def onCallMediaState(self, prm):
        # The list lives in the info object: keep that as long as the list.
        info = self.getInfo()
        for media in info.media:
            direction = DIRECTIONS.get(media.dir, str(media.dir))
            status = MEDIA.get(media.status, str(media.status))
            emit("media", call=self.number, index=media.index, status=status, dir=direction)
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            if self.hold == "holding" and media.status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD:
                self.hold, self.hold_since = "held", time.monotonic()
            elif self.hold == "resuming" and status == "active" and direction == "sendrecv":
                self.hold, self.hold_since = "resumed", time.monotonic()

    def onCallTsxState(self, prm):
        if prm.e.type != pj.PJSIP_EVENT_TSX_STATE:
            return
        tsx = prm.e.body.tsxState.tsx
        if tsx.state in (pj.PJSIP_TSX_STATE_COMPLETED, pj.PJSIP_TSX_STATE_TERMINATED):
            emit(
                "transaction",
                call=self.number,
                method=tsx.method,
                role="client" if tsx.role == pj.PJSIP_ROLE_UAC else "server",
                code=tsx.statusCode,
                state="completed" if tsx.state == pj.PJSIP_TSX_STATE_COMPLETED else "terminated",
            )

    def onCallTransferRequest(self, prm):
        emit("refer", call=self.number, to=prm.dstUri)
        prm.newCall = self.another()

    def onCallTransferStatus(self, prm):
        emit("transfer", call=self.number, code=prm.statusCode, final=prm.finalNotify)
        if prm.finalNotify and prm.statusCode // 100 == 2:
            self.hang_up()

    def onCallReplaceRequest(self, prm):
        emit("replace", call=self.number)

    def onCallReplaced(self, prm):
        emit("replaced", call=self.number)
        self.peer.calls.append(Call(self.peer, self.peer.account, prm.newCallId))
        prm.newCall = self.peer.calls[-1]

    def another(self):
        call = Call(self.peer, self.peer.account)
        self.peer.calls.append(call)
        return call

    def transfer(self, args):
        """Puts the peer through; whether there is nothing else to do."""
        if self.transferring or self.incoming and args.mode == "call" or self.number > 0:
            return True
        if args.transfer:
            self.transferring = True
            self.xfer(args.transfer, pj.CallOpParam(True))
        elif args.attend and self.asking is None:
            self.asking = self.another()
            self.asking.makeCall(args.attend, pj.CallOpParam(True))
        elif args.attend and self.asking.confirmed is not None:
            self.transferring = True
            self.xferReplaces(self.asking, pj.CallOpParam(True))
        return False

    def respond(self, code):
        prm = pj.CallOpParam()
        prm.statusCode = code
        self.answer(prm)

    def hang_up(self):
        self.hung_up = True
        self.hangup(pj.CallOpParam())

    def step(self, now, args):
        if self.ended or self.hung_up:
            return
        if self.confirmed is None:
            if self.incoming and not self.answered and now - self.made >= args.ring:
                self.answered = True
                self.respond(args.answer)
            elif not self.incoming and args.cancel_after is not None:
                if now - self.made >= args.cancel_after:
                    self.hang_up()
            return
        if args.hold and now - self.confirmed >= args.pause:
            if not self.hold:
                self.hold = "holding"
                self.setHold(pj.CallOpParam(True))
                return
            if self.hold == "held" and now - self.hold_since >= args.pause:
                self.hold = "resuming"
                prm = pj.CallOpParam(True)
                prm.opt.flag = pj.PJSUA_CALL_UNHOLD
                self.reinvite(prm)
                return
        if (args.transfer or args.attend) and now - self.confirmed >= args.pause:
            if not self.transfer(args):
                return
        since = self.hold_since if args.hold else self.confirmed
        done = self.hold == "resumed" if args.hold else True
        if args.hangup_after is not None and done and now - since >= args.hangup_after:
            self.hang_up()

    def succeeded(self, args):
        if args.expect:
            return self.code == args.expect
        if not self.incoming and args.cancel_after is not None:
            return self.code == 487
        if self.incoming and args.answer >= 300:
            return self.code == args.answer
        return self.confirmed is not None and self.hold == ("resumed" if args.hold else "")


class Account(pj.Account):
    def __init__(self, peer):
        super().__init__()
        self.peer = peer
        self.registered = None
        self.code = 0

    def onRegState(self, prm):
        active = self.getInfo().regIsActive
        self.registered, self.code = active, prm.code
        emit(
            "registered" if active else "unregistered",
            code=prm.code,
            reason=prm.reason,
            expires=prm.expiration,
        )

    def onIncomingCall(self, prm):
        call = Call(self.peer, self, prm.callId)
        self.peer.calls.append(call)
        info = call.getInfo()
        emit("incoming", call=call.number, remote=info.remoteUri, call_id=info.callIdString)
        if self.peer.args.answer < 300:
            call.respond(180)

    def onInstantMessage(self, prm):
        emit("message", remote=prm.fromUri, type=prm.contentType, body=prm.msgBody)


class Peer:
    def __init__(self, args):
        self.args = args
        self.calls = []
        self.numbers = 0
        self.endpoint = pj.Endpoint()
        self.account = None

    def start(self):
        args = self.args
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = 32
        config.uaConfig.userAgent = "pjsua2"
        config.logConfig.level = 5 if args.log != os.devnull else 0
        config.logConfig.consoleLevel = 0
        config.logConfig.filename = args.log
        config.medConfig.hasIoqueue = True
        self.endpoint.libCreate()
        self.endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.port = args.port
        transport.boundAddress = "127.0.0.1"
        if args.transport == "tls":
            transport.tlsConfig.CaListFile = args.ca
            transport.tlsConfig.certFile = args.cert
            transport.tlsConfig.privKeyFile = args.key
            # Whoever it calls has to show a certificate that the CA vouches for.
            transport.tlsConfig.verifyServer = True
        transport_id = self.endpoint.transportCreate(TRANSPORTS[args.transport], transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        # A long codec list makes the INVITE exceed 1,300 bytes, and PJSIP then
        # leaves UDP for TCP.
        for codec in self.endpoint.codecEnum2():
            wanted = codec.codecId.startswith(("PCMU/8000", "PCMA/8000"))
            self.endpoint.codecSetPriority(codec.codecId, 128 if wanted else 0)

        bound = self.endpoint.transportGetInfo(transport_id).localName
        port = int(bound.rsplit(":", 1)[1])
        account = pj.AccountConfig()
        if args.registrar:
            host = args.registrar.split(":", 1)[1].split(";")[0]
        else:
            host = f"127.0.0.1:{port}" + (";transport=tls" if args.transport == "tls" else "")
        account.idUri = args.id or f"sip:{args.user}@{host}"
        account.regConfig.registrarUri = args.registrar or ""
        account.regConfig.registerOnAdd = bool(args.registrar)
        account.regConfig.timeoutSec = args.expires
        account.regConfig.retryIntervalSec = 0
        account.sipConfig.transportId = transport_id
        account.sipConfig.authCreds.append(
            pj.AuthCredInfo("digest", "*", args.user, 0, args.password)
        )
        if args.proxy:
            account.sipConfig.proxies.append(args.proxy)
        # Otherwise an answer with two codecs gets a re-INVITE that picks one.
        account.mediaConfig.lockCodecEnabled = args.lock_codec
        account.callConfig.timerUse = TIMERS[args.timers]
        account.callConfig.timerSessExpiresSec = args.session_expires
        account.callConfig.timerMinSESec = args.min_se
        account.callConfig.prackUse = RELIABLE[args.reliable]
        media = account.mediaConfig.transportConfig
        media.boundAddress = "127.0.0.1"
        media.publicAddress = "127.0.0.1"
        self.account = Account(self)
        self.account.create(account)
        emit("ready", port=port, version=self.endpoint.libVersion().full)

    def poll(self, milliseconds=10):
        self.endpoint.libHandleEvents(milliseconds)

    def run(self, deadline, stopped):
        """Returns why the run failed, or None."""
        args = self.args
        if args.registrar:
            while self.account.registered is None:
                self.poll()
                if stopped() or time.monotonic() > deadline:
                    return "no answer to REGISTER"
            if not self.account.registered:
                if args.expect_register == self.account.code:
                    return None
                return f"REGISTER failed with {self.account.code}"
            if args.expect_register not in (None, self.account.code):
                return f"REGISTER got {self.account.code}"
            if args.mode == "register":
                until = time.monotonic() + (args.hangup_after or 0.0)
                while time.monotonic() < min(until, deadline) and not stopped():
                    self.poll()
                return None if self.account.registered else "the registration was lost"
        while True:
            now = time.monotonic()
            if args.count == 0 and (stopped() or now > deadline):
                return None
            if stopped():
                return "stopped by a signal"
            if now > deadline:
                return "timeout"
            self.poll()
            for call in self.calls:
                call.step(now, args)
            ended = sum(call.ended for call in self.calls)
            if args.count and ended >= args.count:
                bad = [call.number for call in self.calls if not call.succeeded(args)]
                return f"calls {bad} did not go as asked" if bad else None
            active = any(not call.ended for call in self.calls)
            if args.mode == "call" and not active and len(self.calls) < args.count:
                call = Call(self, self.account)
                self.calls.append(call)
                call.makeCall(args.uri, pj.CallOpParam(True))
                emit("calling", call=call.number, uri=args.uri)

    def finish(self):
        # The last ACK or BYE still has to leave, and its answer to come.
        until = time.monotonic() + self.args.linger
        while time.monotonic() < until:
            self.poll()
        if self.account is not None and self.account.registered:
            self.account.setRegistration(False)
            until = time.monotonic() + 2.0
            while self.account.registered and time.monotonic() < until:
                self.poll()
        # Calls and the account go before the library that owns their memory.
        while self.calls:
            call = self.calls.pop()
            if not call.ended and not call.hung_up:
                call.hang_up()
                self.poll(100)
            # A last reference here would run its destructor after libDestroy.
            del call
        if self.account is not None:
            self.account.shutdown()
            self.account = None
        self.endpoint.libDestroy()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--mode", choices=("answer", "call", "register"), required=True)
    add("uri", nargs="?", help="whom to call")
    add("--port", type=int, default=0, help="port on 127.0.0.1, 0 for a free one")
    add("--transport", choices=sorted(TRANSPORTS), default="udp")
    add("--ca", metavar="FILE", default="", help="whom to trust under TLS")
    add("--cert", metavar="FILE", default="", help="own certificate under TLS")
    add("--key", metavar="FILE", default="", help="its key")
    add("--user", default="pjsua")
    add("--password", default="")
    add("--id", help="own address, if it isn't the user at the registrar or the port")
    add("--register", dest="registrar", metavar="URI", help="registrar, sip:127.0.0.1:PORT")
    add("--expires", type=int, default=60, help="seconds asked for at the registrar")
    add("--expect-register", type=int, metavar="CODE", help="final code of REGISTER that passes")
    add("--proxy", metavar="URI", help="outbound proxy, sip:127.0.0.1:PORT;lr")
    add("--count", type=int, default=1, help="calls until the end, one after another; 0: until --timeout or a signal")
    add("--hold", action="store_true", help="re-INVITE to hold, another one to resume")
    add("--pause", type=float, default=0.3, help="seconds before hold and before resume")
    add("--hangup-after", type=float, metavar="S", help="seconds; without it the other side hangs up")
    add("--cancel-after", type=float, metavar="S", help="seconds; give up an unanswered call")
    add("--ring", type=float, default=0.1, help="seconds between 180 and the answer")
    add("--answer", type=int, default=200, metavar="CODE", help="final answer, 200 to 699")
    add("--expect", type=int, metavar="CODE", help="last code of each call that passes")
    add("--timers", choices=sorted(TIMERS), default="optional", help="session timers")
    add("--session-expires", type=int, default=1800)
    add("--min-se", type=int, default=90)
    add("--reliable", choices=sorted(RELIABLE), default="off", help="100rel")
    add("--transfer", metavar="URI", help="whom to transfer the first call to")
    add("--attend", metavar="URI", help="the same, who is called before and then replaced")
    add("--lock-codec", action="store_true", help="re-INVITE after an answer with several codecs")
    add("--linger", type=float, default=0.3, help="seconds after the last call")
    add("--timeout", type=float, default=30.0, help="seconds, then failure")
    add("--log", default=os.devnull, help="file for the library's log and the messages")
    args = parser.parse_args()
    if (args.mode == "call") != (args.uri is not None):
        parser.error("--mode call takes one URI, the other modes none")
    if args.mode == "call" and args.count < 1:
        parser.error("--mode call makes at least one call")
    if args.mode == "register" and not args.registrar:
        parser.error("--mode register needs --register")
    return args


def main():
    args = arguments()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    stop = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.append(True))
    deadline = time.monotonic() + args.timeout
    peer = Peer(args)
    try:
        peer.start()
        failure = peer.run(deadline, lambda: bool(stop))
    except pj.Error as error:
        failure = error.info()
    try:
        peer.finish()
    except pj.Error as error:
        failure = failure or error.info()
    emit("result", ok=failure is None, failure=failure, calls=peer.numbers)
    return 0 if failure is None else 1


if __name__ == "__main__":
    status = main()
    # The interpreter's own teardown would run destructors after libDestroy.
    os._exit(status)
