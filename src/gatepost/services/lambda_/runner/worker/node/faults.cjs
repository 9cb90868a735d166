// What goes wrong in a function, said in the words of Lambda's Node.js runtime.
//
// Form of errors: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html
'use strict';

const util = require('node:util');

const SDK = /Cannot find (?:module|package) '((?:@aws-sdk|@smithy)\/[^']+|aws-sdk)/;

class Fault extends Error {
  constructor(kind, message) {
    super(message);
    this.name = `Runtime.${kind}`;
  }
}

// Lambda brings the AWS SDK along; here it may have been impossible to install it, and an error that comes of it says so.
function explain(message) {
  const found = SDK.exec(message);
  if (!found || message.includes('[gatepost]')) return message;
  const name = found[1].startsWith('@') ? found[1].split('/').slice(0, 2).join('/') : found[1];
  const reason =
    name === 'aws-sdk'
      ? 'version 2 of the AWS SDK is not bundled with the runtime, here and on Lambda'
      : 'this module of the AWS SDK was not installed when the function was deployed, as its StateReason may say';
  return `${message}\n[gatepost] ${reason}: put it into the function's package (npm install ${name})`;
}

function isError(value) {
  return (
    util.types.isNativeError(value) ||
    (value && typeof value.name === 'string' && typeof value.message === 'string' && typeof value.stack === 'string')
  );
}

// The payload that a caller of the function gets.
function faultResult(error) {
  try {
    if (isError(error)) {
      return {
        errorType: error.name,
        errorMessage: explain(error.message),
        trace: String(error.stack).split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    const words = 'callback called with Error argument, but there was a problem while retrieving one or more of its ';
    return { errorType: 'handled', errorMessage: `${words}message, name, and stack` };
  }
}

// The error as it stands in the log: what it is, with the properties that the function gave it.
function logged(error) {
  const shown = error instanceof Error ? error : new Error(String(error));
  const fields = { errorType: shown.name, errorMessage: explain(shown.message), code: shown.code, ...shown };
  fields.stack = String(shown.stack).split('\n');
  try {
    return `\t${JSON.stringify(fields)}`;
  } catch {
    return `\t${JSON.stringify(faultResult(error))}`;
  }
}

module.exports = { Fault, faultResult, logged };
