// The runtime in a Node worker: load the handler, then answer invocations until the socket closes.
//
// How handlers are called, and what ends an invocation: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
'use strict';

const dns = require('node:dns');
const { syncBuiltinESMExports } = require('node:module');
const { finished } = require('node:stream/promises');
const { Channel, ERROR, INIT_ERROR, LEAVES, READY, RESULT } = require('./channel.cjs');
const { expectAnswer } = require('./custom_resource.cjs');
const { Fault, faultResult } = require('./faults.cjs');
const { loadHandler } = require('./handler.cjs');
const { allowImports } = require('./node_path.cjs');
const { Output } = require('./output.cjs');
const { ResponseStream, isStreaming, provide } = require('./streaming.cjs');

const RESPONSE_BYTES_MAX = 6_291_556; // as `../bootstrap.py` has it
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;

class Runtime {
  constructor(fd, logBytesMax) {
    const environment = process.env;
    this.channel = new Channel(fd, logBytesMax);
    this.output = new Output(this.channel, environment.AWS_LAMBDA_LOG_FORMAT === 'JSON', environment.AWS_LAMBDA_LOG_LEVEL);
    this.hasCallbacks = environment.AWS_EXECUTION_ENV !== 'AWS_Lambda_nodejs24.x'; // Lambda has dropped them there
    this.isDebugged = process.execArgv.some((option) => option.startsWith('--inspect')); // its event loop must go on
    this.current = null;
    this.beforeExit = null;
    process.on('beforeExit', () => {
      const work = this.beforeExit;
      this.beforeExit = null;
      if (work) work();
    });
    process.on('uncaughtException', (error) => this.leave('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION));
    process.on('unhandledRejection', (reason) => {
      const error = new Fault('UnhandledPromiseRejection', String(reason));
      error.reason = reason;
      if (reason instanceof Error) error.stack = `${error.name}: ${error.message}\n${reason.stack}`;
      this.leave('Unhandled Promise Rejection', error, EXIT_UNHANDLED_REJECTION);
    });
  }

  async run() {
    let handler;
    try {
      handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
      if (!this.hasCallbacks && handler.length >= 3 && !isStreaming(handler)) {
        const words = 'Lambda has removed support for callback-based function handlers with Node.js 24: use async/await';
        throw new Fault('CallbackHandlerDeprecated', words);
      }
    } catch (error) {
      this.leave('Uncaught Exception', error, 1);
    }
    this.handler = handler;
    this.channel.flush();
    this.isReady = true;
    this.channel.reply(READY, '', performance.now() * 1e6);
    this.next();
  }

  // Report what nobody caught, to whoever waits, and end the process.
  leave(title, error, status) {
    this.output.fault(title, error);
    this.channel.flush();
    const body = JSON.stringify(faultResult(error));
    if (!this.isReady) this.channel.reply(INIT_ERROR, body, peakKib());
    else if (this.current) this.channel.reply(ERROR, body, peakKib(), LEAVES);
    process.exit(status);
  }

  next() {
    this.beforeExit = null;
    if (this.isDebugged) this.channel.whenReadable(() => this.take(this.channel.nextRequest()));
    else this.take(this.channel.nextRequest());
  }

  take(request) {
    this.current = request;
    this.output.requestId = request.requestId;
    if (request.traceId) process.env._X_AMZN_TRACE_ID = request.traceId;
    else delete process.env._X_AMZN_TRACE_ID;
    // The event loop goes round once before: connections that were closed while it stood still are known as closed then.
    setImmediate(() => this.call(request));
  }

  call(request) {
    const settle = this.settler(request);
    let event;
    let context;
    try {
      event = JSON.parse(request.payload.toString('utf8'));
      if (event?.ResponseURL !== undefined) expectAnswer(event.ResponseURL);
      context = this.context(request, settle);
    } catch (error) {
      settle.now(error);
      return;
    }
    if (isStreaming(this.handler)) {
      this.stream(event, context, settle);
      return;
    }
    this.beforeExit = () => this.unanswered(settle);
    try {
      const result = this.handler(event, context, ...(this.hasCallbacks ? [settle.callback] : []));
      if (typeof result?.then === 'function') result.then((value) => settle.now(null, value), (error) => settle.now(error ?? new Error(String(error))));
      else if (!this.hasCallbacks) settle.now(null, result);
    } catch (error) {
      settle.now(error ?? new Error(String(error)));
    }
  }

  // The event loop is empty, and the handler has not answered.
  unanswered(settle) {
    if (this.handler.constructor?.name === 'AsyncFunction') {
      const fault = new Fault('NodeJsExit', '');
      settle.now(fault);
    } else {
      settle.now(null, null);
    }
  }

  settler(request) {
    const settle = { waits: true, isDone: false };
    settle.now = (error, value) => {
      if (settle.isDone) return;
      settle.isDone = true;
      this.beforeExit = null;
      if (error !== undefined && error !== null) this.fail(error);
      else this.succeed(value);
      this.current = null;
      setImmediate(() => this.next());
    };
    settle.callback = (error, value) => {
      if (settle.isDone) return;
      if (settle.waits) this.beforeExit = () => settle.now(error, value);
      else settle.now(error, value);
    };
    settle.request = request;
    return settle;
  }

  async stream(event, context, settle) {
    const response = new ResponseStream(this.channel);
    try {
      const result = this.handler(event, response, context);
      if (typeof result?.then !== 'function') throw new Fault('InvalidStreamingOperation', 'Streaming does not support non-async handlers.');
      this.beforeExit = () => settle.now(new Fault('InvalidStreamingOperation', 'Response stream is not finished.'));
      if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
      if (!response.writableEnded) throw new Fault('InvalidStreamingOperation', 'Response stream is not finished.');
      if (!response.writableFinished) await finished(response, { readable: false });
    } catch (error) {
      settle.now(error ?? new Error(String(error)));
      return;
    }
    settle.now(null, response);
  }

  succeed(value) {
    let body;
    try {
      if (value instanceof ResponseStream) body = Buffer.alloc(0); // its pieces have been sent
      else body = Buffer.from(JSON.stringify(value === undefined ? null : value) ?? 'null', 'utf8');
    } catch {
      this.fail(new Error('Unable to stringify response body'));
      return;
    }
    this.channel.flush();
    if (body.length > RESPONSE_BYTES_MAX) {
      const errorMessage = `Response payload size exceeded maximum allowed payload size (${RESPONSE_BYTES_MAX} bytes).`;
      this.channel.reply(ERROR, JSON.stringify({ errorMessage, errorType: 'Function.ResponseSizeTooLarge' }), peakKib());
    } else {
      this.channel.reply(RESULT, body, peakKib());
    }
  }

  fail(error) {
    this.output.fault('Invoke Error', error);
    this.channel.flush();
    this.channel.reply(ERROR, JSON.stringify(faultResult(error)), peakKib());
  }

  // Properties: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html
  context(request, settle) {
    const environment = process.env;
    const context = {
      functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext: request.clientContext ? JSON.parse(request.clientContext) : undefined,
      identity: undefined,
      invokedFunctionArn: request.arn,
      awsRequestId: request.requestId,
      tenantId: undefined,
      getRemainingTimeInMillis: () => Math.max(0, request.deadlineMs - Date.now()),
    };
    if (!this.hasCallbacks) return context;
    const finish = (error, value) => {
      settle.waits = false;
      settle.callback(error, value);
    };
    context.succeed = (value) => finish(null, value);
    context.fail = (error) => finish(error ?? new Error(String(error)));
    context.done = finish;
    return Object.defineProperty(context, 'callbackWaitsForEmptyEventLoop', {
      get: () => settle.waits,
      set: (value) => {
        settle.waits = Boolean(value);
      },
      enumerable: true,
      configurable: true,
    });
  }
}

function peakKib() {
  return process.resourceUsage().maxRSS;
}

// Every `*.localhost` name is the loopback address, as RFC 6761 says and Debian does not.
function resolveLocalhost() {
  const lookup = dns.lookup;
  dns.lookup = function (host, ...rest) {
    const isLocal = typeof host === 'string' && host.toLowerCase().endsWith('.localhost');
    return lookup.call(this, isLocal ? '127.0.0.1' : host, ...rest);
  };
  syncBuiltinESMExports();
}

const [fd, logBytesMax, hasSdk] = process.argv.splice(2).map(Number);
resolveLocalhost();
if (hasSdk) allowImports();
provide();
new Runtime(fd, logBytesMax).run();
