"""The control plane of a test session, as each test gets it."""

from collections.abc import Generator

import pytest

from controlplane.build import programs
from controlplane.client import Client
from controlplane.control_plane import running


@pytest.fixture(scope="session")
def administrator(request: pytest.FixtureRequest) -> Generator[Client]:
    """The administrator of a control plane that runs until the session ends."""
    # The first build takes minutes: what it tells must be seen while it runs.
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        built = programs()
    with running(built) as client:
        yield client


@pytest.fixture
def cluster(administrator: Client) -> Generator[Client]:
    """The control plane's administrator; what a test creates as it or as another user is deleted afterwards."""
    yield administrator
    administrator.delete_made()
