// Says whether JavaScript files can be compiled: one path in a line comes in, one JSON line goes out, `null` or where and
// what. One process for all checks: starting Node.js takes longer than everything else between a save and its effect.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const vm = require('node:vm');

const WRAPPED = ['exports', 'require', 'module', '__filename', '__dirname'];

function isModuleFolder(folder) {
  for (let at = folder; ; at = path.dirname(at)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(at, 'package.json'), 'utf8')).type === 'module';
    } catch (error) {
      if (error.code !== 'ENOENT' || at === path.dirname(at)) return false;
    }
  }
}

function problem(compile, file) {
  try {
    compile();
    return null;
  } catch (error) {
    const found = /:(\d+)\n/.exec(String(error.stack)) ?? lineOfModule(file);
    return { file, line: found ? Number(found[1]) : 1, words: `${error.name}: ${error.message}` };
  }
}

// V8 does not tell where a module is broken; a Node.js that checks it alone does.
function lineOfModule(file) {
  const told = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 5000 });
  return /:(\d+)\n/.exec(told.stderr ?? '');
}

function check(file) {
  const code = fs.readFileSync(file, 'utf8').replace(/^#!.*/, '');
  const asModule = () => new vm.SourceTextModule(code, { identifier: file });
  const asScript = () => vm.compileFunction(code, WRAPPED, { filename: file });
  if (file.endsWith('.mjs') || (file.endsWith('.js') && isModuleFolder(path.dirname(file)))) return problem(asModule, file);
  const found = problem(asScript, file);
  if (found === null || file.endsWith('.cjs')) return found;
  // Newer versions of Node.js take a .js file with a module's syntax for a module.
  return problem(asModule, file) === null ? null : found;
}

readline.createInterface({ input: process.stdin }).on('line', (file) => {
  let answer = null;
  try {
    answer = check(file);
  } catch {
    // It cannot be read (any more): nobody's problem here.
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
