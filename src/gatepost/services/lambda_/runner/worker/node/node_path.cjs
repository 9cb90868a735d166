// Lets `import` find what is in NODE_PATH, from the moment on at which something could ask for it: the thread that this
// takes costs a start some 50 ms, and functions that only `require` need none.
'use strict';

const Module = require('node:module');
const { pathToFileURL } = require('node:url');

const IMPORT = /\bimport\s*\(/;
const OF_SDK = /\/node_modules\/@(?:aws-sdk|smithy)\//; // these have all that they import beside them

let isAwaited = false;

// Have the first CommonJS module that may import anything prepare for it. ES modules: see `beforeImport`.
function allowImports() {
  if (!Module.register) return; // Node.js before 18.19 and 20.6: `require` alone
  isAwaited = true;
  const compile = Module.prototype._compile;
  Module.prototype._compile = function (content, filename, ...rest) {
    if (isAwaited && !OF_SDK.test(filename) && IMPORT.test(content)) beforeImport();
    return compile.call(this, content, filename, ...rest);
  };
}

function beforeImport() {
  if (!isAwaited) return;
  isAwaited = false;
  Module.register('./node_path.mjs', pathToFileURL(__filename));
}

module.exports = { allowImports, beforeImport };
