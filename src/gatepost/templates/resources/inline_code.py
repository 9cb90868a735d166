"""Packages of inline code: the text in a file named index, and the module that answers custom resources beside it."""

from __future__ import annotations

import io
import zipfile
from typing import Final

# CloudFormation puts a module beside inline code, so that it can answer as a custom resource.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-lambda-function-code-cfnresponsemodule.html
CFNRESPONSE: Final = '''\
"""Answer CloudFormation from a custom resource's function."""
import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    body = json.dumps({
        "Status": responseStatus,
        "Reason": reason or "See the details in CloudWatch Log Stream: {}".format(context.log_stream_name),
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }).encode()
    request = urllib.request.Request(event["ResponseURL"], data=body, method="PUT", headers={"content-type": ""})
    with urllib.request.urlopen(request) as response:
        print("Status code:", response.status)
'''

# The same for Node.js, where require('cfn-response') loads it. Handlers with a callback end with the answer, as on
# AWS; those without (async ones, and all since Node.js 24) await what send gives.
CFN_RESPONSE: Final = """\
'use strict';
// Answer CloudFormation from a custom resource's function.
exports.SUCCESS = 'SUCCESS';
exports.FAILED = 'FAILED';

exports.send = function send(event, context, responseStatus, responseData, physicalResourceId, noEcho) {
  const body = JSON.stringify({
    Status: responseStatus,
    Reason: 'See the details in CloudWatch Log Stream: ' + context.logStreamName,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: responseData,
  });
  const url = new URL(event.ResponseURL);
  const client = require(url.protocol === 'http:' ? 'node:http' : 'node:https');
  const headers = { 'content-type': '', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const end = (line) => {
      console.log(line);
      if (context.done) context.done();
      resolve();
    };
    const request = client.request(url, { method: 'PUT', headers }, (response) => {
      response.resume();
      end('Status code: ' + response.statusCode);
    });
    request.on('error', (error) => end('Could not answer CloudFormation: ' + error.message));
    request.end(body);
  });
};
"""


def inline_zip(text: str, runtime: str) -> bytes:
    """Give a package with inline code in a file named index, the same bytes for the same text."""
    if runtime.startswith("python"):
        files = {"cfnresponse.py": CFNRESPONSE, "index.py": text}
    else:
        files = {"index.js": text, "node_modules/cfn-response.js": CFN_RESPONSE}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            package.writestr(entry, files[name])
    return buffer.getvalue()
