// Where `console` goes: one event for each call, in Lambda's form.
//
// Text and JSON: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
'use strict';

const util = require('node:util');
const { logged } = require('./faults.cjs');

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const METHODS = { trace: 'TRACE', debug: 'DEBUG', log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };

function errorFields(_name, value) {
  if (!(value instanceof Error)) return value;
  return {
    errorType: value.constructor?.name ?? 'UnknownError',
    errorMessage: value.message,
    stackTrace: typeof value.stack === 'string' ? value.stack.split('\n') : value.stack,
    ...value,
  };
}

class Output {
  constructor(channel, isJson, level) {
    this.channel = channel;
    this.isJson = isJson;
    this.requestId = undefined;
    const least = Math.max(0, LEVELS.indexOf((level ?? '').toUpperCase()));
    for (const [name, word] of Object.entries(METHODS)) {
      const isShown = LEVELS.indexOf(word) >= least;
      console[name] = isShown ? (...values) => this.write(word, values) : () => {};
    }
  }

  write(level, values) {
    const at = new Date().toISOString();
    this.channel.log(this.isJson ? this.json(at, level, values) : this.text(at, level, values));
  }

  text(at, level, values) {
    return `${at}\t${this.requestId}\t${level}\t${util.format(...values)}\n`;
  }

  json(at, level, values) {
    const line = { timestamp: at, level, requestId: this.requestId };
    if (values.length === 1) {
      line.message = values[0];
      try {
        return `${JSON.stringify(line, errorFields)}\n`;
      } catch {
        line.message = util.format(values[0]);
        return `${JSON.stringify(line)}\n`;
      }
    }
    line.message = util.format(...values);
    const error = values.find((value) => value instanceof Error);
    return `${JSON.stringify(error ? { ...line, ...errorFields('', error) } : line)}\n`;
  }

  // Log an error that the function did not catch.
  fault(title, error) {
    if (this.isJson) this.write('ERROR', [error instanceof Error ? error : new Error(String(error))]);
    else this.write('ERROR', [title, logged(error)]);
  }
}

module.exports = { Output };
