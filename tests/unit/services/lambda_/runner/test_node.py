"""Functions in Node.js: what callers get and what stands in the log, whatever the function does."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from gatepost.kernel.ports import HTTP_INTEGRATION_RESPONSE
from gatepost.services.lambda_.model import Function
from tests.support.functions import LiveRunner, a_live_runner
from tests.support.nodes import RUNTIME, needs_node

pytestmark = needs_node
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def a_node_function(runner: LiveRunner, code: str | dict[str, str | bytes], **fields: Any) -> Function:
    files = {"app.js": textwrap.dedent(code)} if isinstance(code, str) else code
    return runner.deploy(files, **{"runtime": RUNTIME, **fields})


@pytest.mark.parametrize(
    "handler",
    [
        "exports.handler = async (event) => event;",
        "exports.handler = (event) => Promise.resolve(event);",
        "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, event), 5); };",
        "exports.handler = (event, context) => { context.succeed(event); };",
        "exports.handler = (event, context) => { context.done(null, event); };",
    ],
)
def test_a_handler_answers_in_each_of_lambdas_styles(runner: LiveRunner, handler: str) -> None:
    event = {"a": [1, 2.5, None, "ü"]}
    function = a_node_function(runner, handler)
    assert [runner.value(function, event) for _ in range(3)] == [event] * 3


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"app.mjs": "export const handler = async (e) => import.meta.url ? e : 0;"}, "app.handler"),
        ({"app.js": "export const handler = async (e) => e;", "package.json": '{"type":"module"}'}, "app.handler"),
        ({"app.cjs": "exports.handler = async (e) => e;", "package.json": '{"type":"module"}'}, "app.handler"),
        ({"src/app.js": "exports.deep = { handler: async (e) => e };"}, "src/app.deep.handler"),
        ({"node_modules/shop/index.js": "exports.handler = async (e) => e;"}, "shop.handler"),
        ({"app.mjs": "const v = await Promise.resolve(1); export const handler = async (e) => e;"}, "app.handler"),
    ],
)
def test_a_handler_is_found_in_modules_of_both_kinds(
    runner: LiveRunner, files: dict[str, str | bytes], handler: str
) -> None:
    assert runner.value(a_node_function(runner, files, handler=handler), 7) == 7


def test_the_context_is_lambdas(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        exports.handler = async (event, context) => ({
          ...context, left: context.getRemainingTimeInMillis(), kinds: Object.keys(context).length,
          identity: context.identity === undefined,
        });
        """,
        memory_mb=256,
        timeout_s=7,
    )
    client = {"custom": {"a": 1}, "env": {"b": "2"}}
    encoded = base64.b64encode(json.dumps(client).encode()).decode()
    seen = runner.value(function, request_id="8a1f", client_context=encoded)
    assert (seen["functionName"], seen["functionVersion"]) == (function.name, "$LATEST")
    assert (seen["invokedFunctionArn"], seen["memoryLimitInMB"]) == (function.arn, "256")
    assert (seen["awsRequestId"], seen["logGroupName"]) == ("8a1f", f"/aws/lambda/{function.name}")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["logStreamName"])
    assert (seen["clientContext"], seen["identity"]) == (client, True)
    assert seen["callbackWaitsForEmptyEventLoop"] is True
    assert 6_000 < seen["left"] <= 7_000


def test_a_callback_waits_for_the_event_loop_unless_told_not_to(runner: LiveRunner) -> None:
    code = """
        let ran = false;
        exports.handler = (waits, context, callback) => {
          context.callbackWaitsForEmptyEventLoop = waits;
          if (waits === null) return callback(null, ran);
          ran = false;
          setTimeout(() => { ran = true; }, 150);
          callback(null, 'sent');
        };
        """
    function = a_node_function(runner, code)
    started = time.monotonic()
    assert runner.value(function, True) == "sent"
    assert time.monotonic() - started >= 0.15
    function = a_node_function(runner, code)
    runner.value(function, None)
    started = time.monotonic()
    assert runner.value(function, False) == "sent"
    assert time.monotonic() - started < 0.15


def test_a_handler_that_never_answers_ends_with_its_event_loop(runner: LiveRunner) -> None:
    assert runner.value(a_node_function(runner, "exports.handler = (e, c, callback) => {};")) is None
    function = a_node_function(runner, "exports.handler = async (e) => e ? e : new Promise(() => {});")
    assert runner.error(function)["errorType"] == "Runtime.NodeJsExit"
    assert runner.value(function, 5) == 5


@pytest.mark.parametrize(
    "code",
    [
        "exports.handler = async () => { throw new RangeError('no tea'); };",
        "exports.handler = () => { throw new RangeError('no tea'); };",
        "exports.handler = (e, c, callback) => callback(new RangeError('no tea'));",
        "exports.handler = (e, c) => c.fail(new RangeError('no tea'));",
    ],
)
def test_an_error_is_reported_as_the_node_runtime_does(runner: LiveRunner, code: str) -> None:
    function = a_node_function(runner, code)
    error = runner.error(function, request_id="1b2c")
    assert (error["errorType"], error["errorMessage"]) == ("RangeError", "no tea")
    assert error["trace"][0] == "RangeError: no tea"
    assert "app.js:1:" in error["trace"][1]
    assert set(error) == {"errorType", "errorMessage", "trace"}
    line = next(text for text in runner.log(function) if "Invoke Error" in text)
    found = re.fullmatch(rf"{STAMP}\t1b2c\tERROR\tInvoke Error \t(\{{.*\}})\n", line)
    assert found is not None
    assert json.loads(found[1])["stack"][0] == "RangeError: no tea"
    assert runner.error(function)["errorType"] == "RangeError"  # the worker goes on


def test_what_is_thrown_need_not_be_an_error(runner: LiveRunner) -> None:
    function = a_node_function(runner, "exports.handler = async () => { throw 'plain'; };")
    assert runner.error(function) == {"errorType": "string", "errorMessage": "plain", "trace": []}
    function = a_node_function(runner, "exports.handler = async () => { throw undefined; };")
    assert runner.error(function)["errorType"] == "Error"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("setTimeout(() => { throw new TypeError('late'); }, 1)", "TypeError", "late"),
        ("Promise.reject(new Error('lost'))", "Runtime.UnhandledPromiseRejection", "Error: lost"),
    ],
)
def test_what_nobody_catches_ends_the_worker_and_its_invocation_only(
    runner: LiveRunner, code: str, kind: str, words: str
) -> None:
    function = a_node_function(
        runner, f"exports.handler = (e, c, callback) => {{ if (e) return callback(null, process.pid); {code}; }};"
    )
    error = runner.error(function)
    assert (error["errorType"], error["errorMessage"]) == (kind, words)
    assert isinstance(runner.value(function, 1), int)


@pytest.mark.parametrize(
    ("files", "handler", "kind", "words"),
    [
        ({"app.js": "exports.handler = 5;"}, "app.handler", "HandlerNotFound", "app.handler is not a function"),
        ({"app.js": "x"}, "app.other", "", "x is not defined"),
        ({"app.js": ""}, "app.other", "HandlerNotFound", "app.other is undefined or not exported"),
        ({"app.js": "let let = 1;"}, "app.handler", "UserCodeSyntaxError", "SyntaxError: "),
        ({"app.mjs": "export const = 1;"}, "app.handler", "UserCodeSyntaxError", "SyntaxError: "),
        ({"app.js": "require('shop');"}, "app.handler", "ImportModuleError", "Error: Cannot find module 'shop'"),
        ({"other.js": ""}, "app.handler", "ImportModuleError", "Error: Cannot find module 'app'"),
        ({"app.js": ""}, "app", "MalformedHandlerName", "Bad handler"),
        ({"app.js": ""}, "../app.handler", "MalformedHandlerName", "is not a valid handler name"),
        ({"app.js": "setTimeout(() => { throw new Error('x') }, 1); exports.handler = require('fs').no;"},
         "app.handler", "HandlerNotFound", "undefined or not exported"),
    ],
)  # fmt: skip
def test_a_module_that_does_not_load_says_why(
    runner: LiveRunner, files: dict[str, str | bytes], handler: str, kind: str, words: str
) -> None:
    function = a_node_function(runner, files, handler=handler)
    error = runner.error(function)
    assert error["errorType"] == (f"Runtime.{kind}" if kind else "ReferenceError")
    assert words in error["errorMessage"]
    assert any("Uncaught Exception" in line for line in runner.log(function))


@pytest.mark.parametrize(
    "files",
    [
        {"app.js": "require('@aws-sdk/client-dynamodb');"},
        {"app.mjs": "import '@aws-sdk/client-dynamodb/dist';"},
        {"app.mjs": "export const handler = async () => import('@aws-sdk/client-dynamodb');"},
    ],
)
def test_an_sdk_that_the_package_lacks_is_named_with_what_to_do(
    runner: LiveRunner, files: dict[str, str | bytes]
) -> None:
    message = runner.error(a_node_function(runner, files))["errorMessage"]
    assert "npm install @aws-sdk/client-dynamodb" in message
    assert "was not installed when the function was deployed" in message


def test_console_writes_one_event_for_each_call_with_time_request_and_level(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        console.log('loading');
        exports.handler = async () => {
          console.log('two\\nlines', { a: 1 }); console.debug('d'); console.info('%s!', 'i');
          console.warn('w'); console.error('e'); process.stdout.write('plain\\n');
        };
        """,
    )
    runner.invoke(function, request_id="77aa")
    lines = runner.log(function)
    assert re.fullmatch(rf"{STAMP}\tundefined\tINFO\tloading\n", lines[1])
    told = [line.partition("\t")[2] for line in lines if "\t77aa\t" in line]
    assert told == [
        "77aa\tINFO\ttwo\nlines { a: 1 }\n",
        "77aa\tDEBUG\td\n",
        "77aa\tINFO\ti!\n",
        "77aa\tWARN\tw\n",
        "77aa\tERROR\te\n",
    ]
    assert "plain\n" in lines[: lines.index("END RequestId: 77aa\n")]
    assert lines[0].startswith(f"INIT_START Runtime Version: nodejs:{RUNTIME[6:-2]}.gatepost\t")


def test_json_logs_have_levels_and_errors_as_fields(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        exports.handler = async () => {
          console.info('hidden'); console.warn({ a: 1 }); console.error('bad %d', 5, new TypeError('t'));
        };
        """,
        log_format="JSON",
        application_log_level="WARN",
        system_log_level="INFO",
    )
    runner.invoke(function, request_id="77bb")
    lines = [json.loads(line) for line in runner.log(function)]
    told = [line for line in lines if line.get("requestId") == "77bb"]
    assert [line["level"] for line in told] == ["WARN", "ERROR"]
    assert told[0]["message"] == {"a": 1}
    assert (told[1]["errorType"], told[1]["errorMessage"]) == ("TypeError", "t")
    assert told[1]["message"].startswith("bad 5 TypeError: t")


def test_a_streaming_handler_is_answered_whole(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
          if (event === 'open') return;
          if (event === 'http') stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
          stream.write('a'); stream.write(Buffer.from('b')); stream.end(context.awsRequestId);
        });
        """,
    )
    assert runner.invoke(function, None, request_id="9").payload == b"ab9"
    assert runner.invoke(function, "http", request_id="9").payload == b'{"statusCode":201}' + bytes(8) + b"ab9"
    assert runner.error(function, "open")["errorMessage"] == "Response stream is not finished."


def test_a_stream_comes_as_it_is_written_and_says_what_it_is(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
          if (event === 'early') throw new TypeError('early');
          if (event === 'http') stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
          else stream.setContentType('text/plain');
          if (event === 'unsent') throw new TypeError('before the first write');
          stream.write('a');
          await new Promise((go) => setTimeout(go, 60));
          if (event === 'late') throw new TypeError('late');
          stream.end('b');
        });
        """,
    )
    seen: list[float] = []
    pieces = runner.stream(function, None, take=lambda piece: seen.append(time.monotonic()) or piece)
    assert pieces == ([b"a", b"b"], "text/plain", None)
    assert seen[1] - seen[0] > 0.04
    prelude = b'{"statusCode":201}' + bytes(8)
    assert runner.stream(function, "http") == ([prelude, b"a", b"b"], HTTP_INTEGRATION_RESPONSE, None)
    pieces, _, broken = runner.stream(function, "late")
    assert (pieces, broken["errorType"], broken["errorMessage"]) == ([b"a"], "TypeError", "late")
    for event in ("early", "unsent"):
        pieces, _, broken = runner.stream(function, event)
        assert (pieces, broken["errorType"]) == ([], "TypeError")


def test_a_function_waits_for_a_slow_reader_and_a_stream_ends_at_200_mb(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        const { pipeline } = require('node:stream/promises');
        const { Readable } = require('node:stream');
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
          const piece = Buffer.alloc(1 << 20);
          function* pieces() { for (let i = 0; i < event; i++) yield piece; }
          await pipeline(Readable.from(pieces()), stream);
        });
        """,
        memory_mb=256,
        timeout_s=60,
    )
    pieces, _, broken = runner.stream(function, 24, take=len)
    assert (sum(pieces), broken) == (24 << 20, None)
    pieces, _, broken = runner.stream(function, 203, take=len)
    assert broken["errorType"] == "Function.ResponseSizeTooLarge"
    assert 199 << 20 <= sum(pieces) <= 200 << 20
    assert runner.error(function, 7)["errorType"] == "Function.ResponseSizeTooLarge"  # a caller that wants it whole


def test_large_events_and_answers_pass_and_too_large_ones_are_refused(runner: LiveRunner) -> None:
    function = a_node_function(
        runner, "exports.handler = async (e) => typeof e === 'string' ? e : 'x'.repeat(e);", memory_mb=256
    )
    text = "x" * 5_000_000
    assert runner.value(function, text) == text
    assert runner.error(function, 7_000_000)["errorType"] == "Function.ResponseSizeTooLarge"
    assert runner.value(function, 3) == "xxx"


def test_what_is_no_json_is_refused(runner: LiveRunner) -> None:
    function = a_node_function(runner, "exports.handler = async () => ({ n: 10n });")
    assert runner.error(function)["errorMessage"] == "Unable to stringify response body"
    assert runner.error(function, b"{")["errorType"] == "SyntaxError"
    function = a_node_function(runner, "exports.handler = async () => undefined;")
    assert runner.invoke(function).payload == b"null"


def test_time_memory_and_exits_are_told_in_lambdas_words(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        exports.handler = async (event) => {
          if (event === 'loop') for (;;);
          if (event === 'wait') await new Promise((done) => setTimeout(done, 60000));
          if (event === 'exit') process.exit(3);
          if (event === 'abort') process.abort();
          if (event === 'memory') { const kept = []; for (;;) kept.push(Buffer.alloc(4 << 20, 1)); }
          return process.pid;
        };
        """,
        timeout_s=1,
    )
    for event in ("loop", "wait"):
        error = runner.error(function, event)
        assert error["errorType"] == "Sandbox.Timedout"
        assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert runner.error(function, "exit")["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert runner.error(function, "abort")["errorMessage"].endswith("Runtime exited with error: signal: aborted")
    assert runner.error(function, "memory")["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert isinstance(runner.value(function), int)


def test_much_output_is_cut_and_counted(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with a_live_runner(tmp_path, log_bytes_max=10_000) as live:
        function = a_node_function(
            live, "exports.handler = async (e) => { for (let i = 0; i < 2000; i++) console.log('0123456789'); };"
        )
        live.invoke(function)
        lines = live.log(function)
        assert sum(len(line) for line in lines) < 12_000
        assert any("bytes of output dropped: an invocation may log 10000" in line for line in lines)


def test_a_worker_is_shut_in_as_pythons_are(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        const fs = require('fs');
        exports.handler = async () => {
          const writes = (path) => { try { fs.writeFileSync(path, 'x'); return true; } catch { return false; } };
          return {
            fds: fs.readdirSync('/proc/self/fd').map((fd) => {
              try { return fs.readlinkSync(`/proc/self/fd/${fd}`); } catch { return ''; }
            }).filter((name) => name && !name.startsWith('anon_inode') && !name.startsWith('/')),
            uid: process.getuid(), home: require('os').homedir(), temporary: require('os').tmpdir(),
            task: writes(`${__dirname}/x`), tmp: writes(`${require('os').tmpdir()}/x`),
            environment: Object.keys(process.env), limits: fs.readFileSync('/proc/self/limits', 'utf8'),
            status: fs.readFileSync('/proc/self/status', 'utf8'), arguments: process.argv.length,
          };
        };
        """,
    )
    seen = runner.value(function)
    sockets = [name for name in seen["fds"] if name.startswith("socket:")]
    assert len(sockets) == 1
    assert (seen["task"], seen["tmp"], seen["arguments"]) == (False, True, 2)
    assert "NoNewPrivs:\t1" in seen["status"]
    assert re.search(r"CapEff:\t0+\n", seen["status"])
    assert re.search(r"Max open files +1024", seen["limits"])
    assert seen["home"] == seen["temporary"]
    assert not {"VIRTUAL_ENV", "PYTEST_CURRENT_TEST"} & set(seen["environment"])
    if os.geteuid() == 0:
        assert seen["uid"] >= 60_000


def test_a_cold_start_is_fast(runner: LiveRunner) -> None:
    code = "exports.handler = async () => process.pid;"
    runner.value(a_node_function(runner, code))
    times = []
    for _ in range(3):
        function = a_node_function(runner, code)
        started = time.monotonic()
        runner.value(function)
        times.append(time.monotonic() - started)
    assert min(times) < 0.2


def test_names_below_localhost_are_the_loopback_interface(runner: LiveRunner) -> None:
    code = """
        import dns, { lookup } from 'dns';
        export const handler = async (name) => [
          await new Promise((done) => lookup(name, (error, address) => done(address ?? error.code))),
          await new Promise((done) => dns.lookup(name, { all: true }, (error, all) => done(all?.[0].address))),
        ];
        """
    function = a_node_function(runner, {"app.mjs": textwrap.dedent(code)})
    assert runner.value(function, "a1b2c3.execute-api.localhost") == ["127.0.0.1", "127.0.0.1"]


def test_node_24_has_no_callbacks_as_on_lambda(runner: LiveRunner) -> None:
    function = a_node_function(runner, "exports.handler = (e, c, callback) => callback(null, e);", runtime="nodejs24.x")
    assert runner.error(function)["errorType"] == "Runtime.CallbackHandlerDeprecated"
    code = "exports.handler = async (e, ...rest) => [e, rest.length, 'done' in rest[0]];"
    assert runner.value(a_node_function(runner, code, runtime="nodejs24.x"), 5) == [5, 1, False]


def test_the_functions_own_variables_reach_it_and_do_not_change_its_runtime(runner: LiveRunner) -> None:
    code = "exports.handler = async () => [process.env.SHOP, process.env.NODE_PATH, process.env.AWS_LAMBDA_LOG_FORMAT];"
    variables = {"SHOP": "tea", "NODE_PATH": "/var/task/lib", "AWS_LAMBDA_LOG_FORMAT": "JSON"}
    function = a_node_function(runner, code, environment=variables)
    assert runner.value(function) == ["tea", "/var/task/lib", "Text"]


def test_a_connection_that_closed_while_the_worker_waited_is_not_used_again(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        const http = require('http');
        const agent = new http.Agent({ keepAlive: true });
        exports.handler = (port) => new Promise((done, fail) => {
          const ended = (answer) => answer.resume().on('end', () => done(answer.statusCode));
          http.get({ port, agent }, ended).on('error', fail);
        });
        """,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        port = listener.getsockname()[1]
        for _ in range(3):
            running = runner.start(function, port)
            connection, _ = listener.accept()  # each time a new one: the last was closed after its answer
            with connection:
                connection.recv(9999)
                connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n")
                assert running.result(5).payload == b"204"


@pytest.mark.parametrize("is_open", [True, False])
def test_node_functions_work_without_a_file_system_of_their_own(tmp_path: Path, *, is_open: bool) -> None:
    tmp_path.chmod(0o755 if is_open else 0o700)
    with a_live_runner(tmp_path, is_sandboxed=False) as live:
        function = a_node_function(live, "exports.handler = async (e) => [e, require('os').tmpdir() !== '/tmp'];")
        assert live.value(function, 1) == [1, True]


def test_child_processes_do_not_get_the_workers_socket_and_write_to_the_log(runner: LiveRunner) -> None:
    function = a_node_function(
        runner,
        """
        const { execFileSync, spawnSync } = require('child_process');
        exports.handler = async () => {
          spawnSync('echo', ['from a child'], { stdio: 'inherit' });
          return execFileSync('ls', ['/proc/self/fd']).toString();
        };
        """,
    )
    assert runner.value(function, request_id="5c").split() == ["0", "1", "2", "3"]  # 3: the listing itself
    lines = runner.log(function)
    assert "from a child\n" in lines[: lines.index("END RequestId: 5c\n")]
