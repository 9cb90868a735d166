// Answers to CloudFormation from functions that drop the port of ResponseURL, because on AWS it is always 443: CDK's
// provider framework and copies of `cfn-response` do.
//
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html
'use strict';

const { syncBuiltinESMExports } = require('node:module');

const ROUTE = '/_gatepost/cloudformation/responses/'; // as `templates/custom_resources.py` has it
const PORTS = [undefined, null, '', 443, '443'];
let target; // where the latest ResponseURL leads

// Have what is sent by HTTPS to the host and path of a ResponseURL of ours, whatever the port, go where it leads.
function expectAnswer(responseUrl) {
  let url;
  try {
    url = new URL(responseUrl);
  } catch {
    return; // not from CloudFormation
  }
  if (url.protocol !== 'http:' || !url.pathname.startsWith(ROUTE)) return;
  if (target === undefined) redirect();
  target = url;
}

function redirect() {
  const https = require('node:https'); // here, for they take time to load
  const http = require('node:http');
  const request = https.request;
  https.request = function (options, ...rest) {
    const isAnswer =
      options !== null &&
      typeof options === 'object' &&
      (options.hostname ?? options.host) === target.hostname &&
      options.path === target.pathname &&
      PORTS.includes(options.port);
    if (!isAnswer) return request.call(this, options, ...rest);
    return http.request({ ...options, protocol: 'http:', port: target.port, agent: undefined }, ...rest);
  };
  syncBuiltinESMExports();
}

module.exports = { expectAnswer };
