// `awslambda.streamifyResponse`: the handler writes to a stream. Here the stream is collected and answered whole.
//
// Source: https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html
'use strict';

const { Writable } = require('node:stream');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const PRELUDE_END = Buffer.alloc(8); // what stands between the metadata and the body

class ResponseStream extends Writable {
  constructor(bytesMax) {
    super({});
    this.parts = [];
    this.bytes = 0;
    this.bytesMax = bytesMax;
    this.contentType = 'application/octet-stream';
  }

  setContentType(contentType) {
    this.contentType = contentType;
  }

  _write(chunk, encoding, done) {
    const content = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding);
    this.bytes += content.length;
    if (this.bytes <= this.bytesMax) this.parts.push(content); // more is too large anyway: only counted
    done();
  }
}

const HttpResponseStream = {
  from(stream, prelude) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    stream.write(JSON.stringify(prelude ?? {}));
    stream.write(PRELUDE_END);
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
