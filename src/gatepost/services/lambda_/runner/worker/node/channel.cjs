// Frames between a Node worker and the gateway: the same as `../channel.py`, which says what each is.
//
// The socket is read and written synchronously. Nothing that a function said is lost when it ends abruptly, and
// between invocations its event loop stands still, as it does on AWS, where the whole worker is frozen.
'use strict';

const fs = require('node:fs');

const READY = 1;
const INIT_ERROR = 2;
const RESULT = 3;
const ERROR = 4;
const LOG_EVENT = 6;
const STREAM = 8;
const PIECE = 9;

const LEAVES = 1; // flag of an answer after which the worker ends by itself
const REQUEST_BYTES = 22;
const REPLY_BYTES = 14;
const LOG_CHUNK_BYTES = 256 * 1024;
const READ_BYTES = 65536;

class Channel {
  constructor(fd, logBytesMax) {
    this.fd = fd;
    this.logBytesMax = logBytesMax;
    this.logBytes = 0;
    this.droppedBytes = 0;
    this.rest = Buffer.alloc(0);
  }

  take(count) {
    const parts = [this.rest];
    let held = this.rest.length;
    while (held < count) {
      const part = Buffer.allocUnsafe(Math.max(READ_BYTES, count - held));
      const got = this.read(part);
      if (got === 0) process.exit(0); // the gateway is gone, and nobody is left to tell
      parts.push(part.subarray(0, got));
      held += got;
    }
    const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    this.rest = whole.subarray(count);
    return whole.subarray(0, count);
  }

  read(part) {
    for (;;) {
      try {
        return fs.readSync(this.fd, part, 0, part.length, null);
      } catch (error) {
        if (error.code !== 'EAGAIN' && error.code !== 'EINTR') return 0;
        pause();
      }
    }
  }

  // Call `go` when there is something to read, and let the event loop go on until then.
  whenReadable(go) {
    if (this.rest.length > 0) {
      go();
      return;
    }
    const part = Buffer.allocUnsafe(READ_BYTES);
    fs.read(this.fd, part, 0, part.length, null, (error, got) => {
      if (error) {
        setTimeout(() => this.whenReadable(go), 5);
        return;
      }
      if (got === 0) process.exit(0); // the gateway is gone
      this.rest = part.subarray(0, got);
      go();
    });
  }

  // Wait for the next invocation.
  nextRequest() {
    const head = this.take(REQUEST_BYTES);
    const payloadBytes = head.readUInt32BE(0);
    const deadlineMs = Number(head.readBigUInt64BE(4));
    const lengths = [head.readUInt16BE(12), head.readUInt16BE(14), head.readUInt32BE(16), head.readUInt16BE(20)];
    const [requestId, traceId, clientContext, arn] = lengths.map((count) => this.take(count).toString('utf8'));
    const payload = this.take(payloadBytes);
    this.logBytes = 0;
    this.droppedBytes = 0;
    return { requestId, traceId, clientContext, arn, deadlineMs, payload };
  }

  reply(kind, body, number, flag = 0) {
    const content = Buffer.isBuffer(body) ? body : Buffer.from(body, 'utf8');
    const frame = Buffer.allocUnsafe(REPLY_BYTES + content.length);
    frame.writeUInt8(kind, 0);
    frame.writeUInt8(flag, 1);
    frame.writeUInt32BE(content.length, 2);
    frame.writeBigUInt64BE(BigInt(Math.round(number)), 6);
    content.copy(frame, REPLY_BYTES);
    let at = 0;
    while (at < frame.length) {
      try {
        at += fs.writeSync(this.fd, frame, at);
      } catch (error) {
        if (error.code !== 'EAGAIN' && error.code !== 'EINTR') process.exit(0);
        pause();
      }
    }
  }

  // Send text as one event; what goes beyond the invocation's bound is dropped and counted.
  log(text) {
    let content = Buffer.from(text, 'utf8');
    const room = this.logBytesMax - this.logBytes;
    if (content.length > room) {
      this.droppedBytes += content.length - Math.max(room, 0);
      if (room <= 0) return;
      content = content.subarray(0, room);
    }
    this.logBytes += content.length;
    for (let start = 0; start < content.length; start += LOG_CHUNK_BYTES) {
      this.reply(LOG_EVENT, content.subarray(start, start + LOG_CHUNK_BYTES), 0);
    }
  }

  // Say what was dropped since the invocation began.
  flush() {
    if (this.droppedBytes) {
      const words = `[gatepost] ${this.droppedBytes} bytes of output dropped: an invocation may log ${this.logBytesMax}`;
      this.droppedBytes = 0;
      this.reply(LOG_EVENT, words, 0);
    }
  }
}

function pause() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

module.exports = { Channel, ERROR, INIT_ERROR, LEAVES, PIECE, READY, RESULT, STREAM };
