// `awslambda.streamifyResponse`: the handler writes to a stream, and each write goes out at once.
//
// Source: https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html
'use strict';

const { Writable } = require('node:stream');
const { PIECE, STREAM } = require('./channel.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HTTP_INTEGRATION_RESPONSE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8); // what stands between the metadata and the body
const PIECE_BYTES = 64 * 1024; // in one frame: the gateway takes no more while its client is slow

class ResponseStream extends Writable {
  constructor(channel) {
    super({});
    this.channel = channel;
    this.contentType = undefined;
    this.prelude = undefined;
    this.hasBegun = false;
  }

  setContentType(contentType) {
    this.contentType = String(contentType);
  }

  // A handler that fails before its first write has sent no status yet.
  begin() {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.channel.reply(STREAM, this.contentType ?? 'application/octet-stream', 0);
    if (this.prelude !== undefined) this.send(Buffer.concat([Buffer.from(this.prelude), PRELUDE_END]));
  }

  send(content) {
    for (let start = 0; start < content.length; start += PIECE_BYTES) {
      this.channel.reply(PIECE, content.subarray(start, start + PIECE_BYTES), 0);
    }
  }

  _write(chunk, encoding, done) {
    this.begin();
    this.send(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding));
    done();
  }

  _final(done) {
    this.begin();
    done();
  }
}

const HttpResponseStream = {
  from(stream, prelude) {
    stream.setContentType(HTTP_INTEGRATION_RESPONSE);
    stream.prelude = JSON.stringify(prelude ?? {});
    return stream;
  },
};

function provide() {
  globalThis.awslambda = {
    streamifyResponse(handler) {
      handler[STREAMING] = 'response';
      return handler;
    },
    HttpResponseStream,
  };
}

function isStreaming(handler) {
  return handler[STREAMING] === 'response';
}

module.exports = { ResponseStream, isStreaming, provide };
