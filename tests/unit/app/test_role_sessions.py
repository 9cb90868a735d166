from pathlib import Path

import pytest

from gatepost.app.role_sessions import role_sessions
from gatepost.config import Settings
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import AccessDeniedException
from gatepost.security.sealing import Seal
from gatepost.services.iam.directory import Directory

NOBODY = "arn:aws:iam::000000000000:role/nobody"


def assume(**settings):
    seal = Seal(bytes(32))
    sessions = role_sessions(Directory(seal), seal, FixedClock(), Settings(data_dir=Path("/data"), **settings))
    return sessions.assume(NOBODY, service="lambda.amazonaws.com", session_name="f")


def test_only_any_credentials_lets_a_role_be_assumed_that_nobody_has():
    with pytest.raises(AccessDeniedException):
        assume()
    assert assume(any_credentials=True).session_token
