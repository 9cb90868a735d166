// Finds the handler in the function's code: CommonJS and ES modules, by the names that Lambda tries.
//
// Source: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { Fault } = require('./faults.cjs');
const { beforeImport } = require('./node_path.cjs');

const TYPESCRIPT_MAJOR = 24; // since then Node runs TypeScript by leaving the types out

// Split `folder/module.a.b` into the module's path and the property's.
function split(name) {
  if (name.includes('..')) {
    const words = 'is not a valid handler name. Use absolute paths when specifying root directories in handler names.';
    throw new Fault('MalformedHandlerName', `'${name}' ${words}`);
  }
  const file = path.basename(name);
  const dot = file.indexOf('.');
  if (dot < 0) throw new Fault('MalformedHandlerName', 'Bad handler');
  const folder = name.slice(0, name.length - file.length);
  return [folder + file.slice(0, dot), file.slice(dot + 1)];
}

// Say whether .js files of a folder are ES modules: the nearest package.json says so.
function isModuleFolder(folder) {
  for (let at = folder; !at.endsWith('/node_modules'); at = path.dirname(at)) {
    const file = path.join(at, 'package.json');
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
      } catch {
        return false;
      }
    }
    if (at === path.dirname(at)) return false;
  }
  return false;
}

async function loadModule(taskRoot, name) {
  const base = path.resolve(taskRoot, name);
  const areModules = isModuleFolder(path.dirname(base));
  const kinds = [
    ['', false],
    ['.js', areModules],
    ['.mjs', true],
    ['.cjs', false],
  ];
  if (Number(process.versions.node.split('.')[0]) >= TYPESCRIPT_MAJOR) {
    kinds.push(['.ts', areModules], ['.mts', true], ['.cts', false]);
  }
  for (const [suffix, isModule] of kinds) {
    const file = base + suffix;
    if (fs.existsSync(file) && !fs.statSync(file).isDirectory()) {
      if (isModule) beforeImport();
      return isModule ? await import(pathToFileURL(file).href) : require(file);
    }
  }
  return require(require.resolve(name, { paths: [taskRoot, path.dirname(base)] }));
}

// Load the handler. Throws: Fault, and whatever the module throws.
async function loadHandler(taskRoot, name) {
  const [moduleName, property] = split(name);
  let loaded;
  try {
    loaded = await loadModule(taskRoot, moduleName);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const fault = new Fault('UserCodeSyntaxError', String(error));
      fault.stack = error.stack; // it names the line
      throw fault;
    }
    if (error?.code === 'MODULE_NOT_FOUND') throw new Fault('ImportModuleError', String(error));
    throw error;
  }
  const handler = property.split('.').reduce((value, key) => value && value[key], loaded);
  if (!handler) throw new Fault('HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new Fault('HandlerNotFound', `${name} is not a function`);
  return handler;
}

module.exports = { loadHandler };
