"""Programs in other languages accept the server's constrained CA: each with the TLS that it is used with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Connect
from tests.support.api import make_token
from tests.support.server import PATIENCE_S, ServerProcess

NODE = """
const https = require("node:https");
const headers = { authorization: `Bearer ${process.env.TOKEN}`, "content-type": "text/plain" };
const request = https.request(process.env.URL, { method: "POST", headers }, (answer) => {
  console.log(answer.statusCode);
  answer.resume();
});
request.on("error", (error) => console.log(error.code));
request.end("from Node");
"""

REQUESTS = """
import os, requests
try:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    print(requests.post(os.environ["URL"], data="from Python", headers=headers).status_code)
except requests.exceptions.SSLError as error:
    print(error)
"""

GO = """
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
)

func main() {
	roots := x509.NewCertPool()
	if path := os.Getenv("CA"); path != "" {
		pem, _ := os.ReadFile(path)
		roots.AppendCertsFromPEM(pem)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	request, _ := http.NewRequest("POST", os.Getenv("URL"), strings.NewReader("from Go"))
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	answer, err := client.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.StatusCode)
}
"""


@pytest.mark.parametrize(
    ("language", "program", "ca", "file", "source", "says"),
    [
        ("Node", ["node"], "NODE_EXTRA_CA_CERTS", "post.js", NODE, "SELF_SIGNED_CERT_IN_CHAIN"),
        ("Python", [sys.executable], "REQUESTS_CA_BUNDLE", "post.py", REQUESTS, "CERTIFICATE_VERIFY_FAILED"),
        pytest.param("Go", ["go", "run"], "CA", "post.go", GO, "certificate signed by unknown authority",
                     marks=pytest.mark.slow),
    ],
    ids=["node", "python", "go"],
)  # fmt: skip
def test_another_language_posts_with_the_ca_alone(
    server: ServerProcess,
    connect: Connect,
    tmp_path: Path,
    language: str,
    program: list[str],
    ca: str,
    file: str,
    source: str,
    says: str,
) -> None:
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    token = make_token(server, "deploy")
    ana = connect(server, "ana")
    (tmp_path / file).write_text(source, encoding="utf-8")
    url = f"https://localhost:{server.port}/api/v1/rooms/lobby/messages"
    environment = {**os.environ, "TOKEN": token, "URL": url}
    environment.pop(ca, None)

    def printed(**more: str) -> str:
        done = subprocess.run(
            [*program, file], cwd=tmp_path, env={**environment, **more}, capture_output=True, text=True,
            timeout=2 * PATIENCE_S, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    assert says in printed()
    assert printed(**{ca: str(server.ca)}) == "201\n"
    assert ana.wait_for_text(f"from {language}").name == "deploy"
