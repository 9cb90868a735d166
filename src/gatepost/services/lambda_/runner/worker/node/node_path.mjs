// ES modules from the folders in NODE_PATH, where Lambda's runtimes look for what stands in no `node_modules` above.
//
// Source: https://aws.amazon.com/blogs/compute/node-js-18-x-runtime-now-available-in-aws-lambda/
import { pathToFileURL } from 'node:url';

const MODULES = '/node_modules';
const BARE = /^(?![./#]|node:|[a-z]+:)/;
const folders = (process.env.NODE_PATH ?? '').split(':').filter((folder) => folder.endsWith(MODULES));
// Whatever lies beside a folder named `node_modules` finds what is in it.
const parents = folders.map((folder) => pathToFileURL(`${folder.slice(0, -MODULES.length)}/any.mjs`).href);

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !BARE.test(specifier)) throw error;
    for (const parentURL of parents) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch (missing) {
        if (missing.code !== 'ERR_MODULE_NOT_FOUND') throw missing;
      }
    }
    throw error; // the error that names the function's own file
  }
}
