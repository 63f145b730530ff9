"""tus-js-client, the browser's reference client of tus, sends to this server from a page of it.

Its code is not in this repository: npm fetches the one version whose hash stands here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.api import ApiClient, make_token
from tests.support.browser import Visitor, until
from tests.support.page import come_in
from tests.support.server import ServerProcess
from tests.web.test_files import CUT

if TYPE_CHECKING:
    from playwright.sync_api import Page

VERSION = "4.3.1"
SHA512 = (
    "64b7989a3ae4694d5f52c29b222f0930be76b80a1c8c466d071e032a346bab3a"
    "d96b43b8318c13e9d6fea2a78f96ca55f85c57240c8505cfcbe60c148b6385b2"
)
"""Of the registry's archive."""
FETCH_S = 60
SIZE = 3_000_000
CONTENT = (bytes(index * 7 % 251 for index in range(251)) * (SIZE // 251 + 1))[:SIZE]
SEND = """([token, abortAt]) => {
  const content = new Uint8Array(SIZE).map((_byte, index) => index * 7 % 251);
  self.heard = { sent: 0, ended: "" };
  self.upload = new tus.Upload(new Blob([content]), {
    endpoint: "/api/v1/uploads",
    headers: { Authorization: `Bearer ${token}` },
    metadata: { filename: "from a browser.bin" },
    chunkSize: 500_000,
    retryDelays: [0, 200],
    onChunkComplete(_size, accepted) {
      heard.sent = accepted;
      if (abortAt && accepted >= abortAt) upload.abort().then(() => heard.ended = "aborted");
    },
    onSuccess: () => heard.ended = "whole",
    onError: (error) => heard.ended = String(error),
  });
  upload.start();
}""".replace("SIZE", str(SIZE))
RESUME = """async ([token, url]) => {
  const asked = [];
  Object.assign(self.heard, { ended: "" });
  self.upload = new tus.Upload(new Blob([new Uint8Array(SIZE).map((_byte, index) => index * 7 % 251)]), {
    uploadUrl: url,
    headers: { Authorization: `Bearer ${token}` },
    onBeforeRequest: (request) => void asked.push(`${request.getMethod()} ${request.getHeader("Upload-Offset") ?? ""}`),
    onSuccess: () => heard.ended = "whole",
    onError: (error) => heard.ended = String(error),
  });
  self.asked = asked;
  upload.start();
}""".replace("SIZE", str(SIZE))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program for browsers; skips the tests where it cannot be fetched."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine, which fetches tus-js-client")
    folder = tmp_path_factory.mktemp("tus-js-client")
    command = [npm, "pack", f"tus-js-client@{VERSION}", "--silent"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=FETCH_S)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"tus-js-client cannot be fetched: {error}")
    (archive,) = Path(folder).glob("*.tgz")
    assert hashlib.sha512(archive.read_bytes()).hexdigest() == SHA512, "another tus-js-client than the known one"
    with tarfile.open(archive) as opened:
        found = opened.extractfile("package/dist/tus.min.js")
        assert found is not None
        return found.read().decode()


def page_with(library: str, visitor: Visitor) -> Page:
    """A page of this origin, whose policy allows no program of others: the debugger brings it in."""
    visitor.allowed += CUT
    page = come_in(visitor, "ana")
    session: Any = visitor.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": f"{library};0"})
    return page


def expect_kept(server: ServerProcess, token: str, url: str) -> None:
    """Post the upload as a message, and read its file."""
    with ApiClient(server, token) as api:
        file_id = url.split("/")[-2]
        posted = api.post_json("/rooms/lobby/messages", {"text": "", "files": [file_id]})
        assert posted.status == 201, posted
        assert api.get(f"/files/{file_id}").body == CONTENT


@pytest.mark.slow
def test_tus_js_client_sends_a_file(library: str, visit: Callable[..., Visitor], server: ServerProcess) -> None:
    page = page_with(library, visit())
    token = make_token(server, "deploy", "post", "read", "files")
    page.evaluate(SEND, [token, 0])
    until(page, "self.heard.ended")
    assert page.evaluate("heard") == {"sent": SIZE, "ended": "whole"}
    expect_kept(server, token, page.evaluate("upload.url"))


@pytest.mark.slow
def test_tus_js_client_goes_on_after_an_abort(
    library: str, visit: Callable[..., Visitor], server: ServerProcess
) -> None:
    page = page_with(library, visit())
    token = make_token(server, "deploy", "post", "read", "files")
    page.evaluate(SEND, [token, 1_000_000])
    until(page, "self.heard.ended")
    assert page.evaluate("heard.ended") == "aborted"
    url = page.evaluate("upload.url")
    page.evaluate(RESUME, [token, url])
    until(page, "self.heard.ended")
    assert page.evaluate("heard.ended") == "whole"
    asked = page.evaluate("asked")
    assert asked[0] == "HEAD "
    assert int(asked[1].removeprefix("PATCH ")) >= 1_000_000, "bytes were sent twice"
    expect_kept(server, token, url)
