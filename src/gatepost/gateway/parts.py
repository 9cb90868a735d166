"""What plans are made of. It is made once, by `app`, and handed to whatever compiles stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gatepost.gateway.backend_certificates import BackendCertificates
from gatepost.gateway.backends.cache import CacheParts
from gatepost.gateway.backends.lambda_event import PassedToLambda
from gatepost.gateway.guards.function_grant import FunctionGrants
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.limits import StageLimits
from gatepost.gateway.observers import RequestLog
from gatepost.gateway.passed_headers import PassedHeaders
from gatepost.gateway.plan import ObserverFailures
from gatepost.gateway.upstream_calls import HttpProxyParts
from gatepost.gateway.usage_keys import UsageKeys
from gatepost.gateway.user_pools import UserPools
from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import chance
from gatepost.kernel.ports import FunctionInvoker, FunctionTriggers, LogSink, RoleSessions, ServiceRequests
from gatepost.kernel.tasks import Tasks
from gatepost.telemetry.figures import Counter
from gatepost.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Parts:
    """What plans are made of: everything a guard, backend or observer uses, handed in by `app.py`."""

    clock: Clock
    tasks: Tasks
    invoker: FunctionInvoker
    new_id: Callable[[], str]
    metrics: Metrics
    request_log: RequestLog
    failures: ObserverFailures
    usage: Callable[[str], Counter]  # by `{api_id}/{stage_name}`
    signatures: SignatureParts | None = None  # None: methods with AWS_IAM cannot work
    http: HttpProxyParts | None = None  # None: HTTP_PROXY cannot work
    certificates: BackendCertificates | None = None  # None: stages with a client certificate cannot work
    grants: FunctionGrants | None = None  # None: AWS_PROXY without credentials cannot work
    role_sessions: RoleSessions | None = None  # None: AWS_PROXY with credentials cannot work
    services: ServiceRequests | None = None  # None: AWS with other services than Lambda cannot work
    triggers: FunctionTriggers | None = None  # None: asynchronous invocation cannot work
    pools: UserPools | None = None  # None: methods with COGNITO_USER_POOLS cannot work
    keys: UsageKeys | None = None  # None: methods that require an API key cannot work
    limits: StageLimits | None = None  # None: nothing is throttled
    cache: CacheParts | None = None  # None: stages with a cache cannot work
    logs: LogSink | None = None  # None: stages write no logs of their own
    invocation_ms_min: int = 0  # how long functions may take, whatever is declared: a debugger halts them
    chance: Callable[[], float] = chance  # decides which requests go to a canary
    passed_to_lambda: PassedHeaders[PassedToLambda] = field(default_factory=PassedHeaders)
