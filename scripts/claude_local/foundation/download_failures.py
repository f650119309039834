"""Why a download in a build failed, from what Docker, git or apt printed. Pure."""

from __future__ import annotations

from claude_local.foundation.docker_failures import Cause, Causes

REGISTRY: Causes = (
    (
        r"toomanyrequests|rate limit|429 Too Many Requests",
        Cause(
            "the image registry refuses more downloads for now",
            "log in: docker login; or try again in a few hours",
        ),
    ),
    (
        r"manifest unknown|manifest for \S+ not found|pull access denied|repository does not exist"
        r"|[^\s:]+@sha256:\w+: not found",
        Cause(
            "a base image is not in its registry",
            "choose another: --build-base, --runtime-base; or update claude-local",
        ),
    ),
    (
        r"unauthorized: |incorrect username or password|denied: requested access|(401|403) (Unauthorized|Forbidden)"
        r"|returned error: 40[13]",
        Cause(
            "a server refuses the download",
            "a stored login may be out of date: docker logout, then docker login; "
            "or a proxy refuses the download",
        ),
    ),
)

NETWORK: Causes = (
    (
        r"certificate has expired|is not yet valid|is not valid yet|is expired \(invalid since",
        Cause(
            "the package index is out of date, or this machine's clock is wrong",
            "check the clock: timedatectl; or try again later",
        ),
    ),
    (
        r"SSL certificate problem|server certificate verification failed|certificate verify failed"
        r"|certificate verification failed",
        Cause(
            "the build does not trust the certificate of a download server",
            "if a company's proxy uses a certificate of its own: choose a base image that contains it (--build-base), "
            "or a checkout (--source DIR)",
        ),
    ),
    (
        r"x509: |certificate signed by unknown authority|failed to verify certificate",
        Cause(
            "Docker Engine does not trust the certificate of the image registry",
            "if a company's proxy uses a certificate of its own: put it below /usr/local/share/ca-certificates, then: "
            "sudo update-ca-certificates && sudo systemctl restart docker",
        ),
    ),
    (
        r"proxyconnect|proxy authentication required|could not resolve proxy|HTTP code \d+ from proxy"
        r"|CONNECT tunnel failed|Proxy CONNECT aborted|authenticationrequired.*proxy",
        Cause(
            "the proxy refuses the download or does not answer",
            "check the proxy of Docker Engine: systemctl show --property=Environment docker; "
            "and that of builds: `proxies` in ~/.docker/config.json",
        ),
    ),
    (
        r"\bearly EOF|RPC failed|unexpected disconnect|bytes of body are still expected|invalid index-pack"
        r"|index-pack failed|remote end hung up|transfer closed with|was not closed cleanly|non-properly terminated"
        r"|recv error|connection reset by peer|\bunexpected EOF\b|connection broken|hash sum mismatch",
        Cause("a download broke off", "try again; finished steps are kept"),
    ),
    (
        r"Could not resolve host|Temporary failure (in name resolution|resolving)|no such host|server misbehaving"
        r"|i/o timeout|TLS handshake timeout|Connection timed out|connection refused|Failed to fetch"
        r"|failed to do request|network is unreachable|no route to host|Could not connect to|Failed to connect to"
        r"|context deadline exceeded|request canceled|gnutls_handshake|502 Bad Gateway|503 Service Unavailable"
        r"|504 Gateway Time-?out|500 Internal Server Error",
        Cause("a download failed", "check the network, then try again; finished steps are kept"),
    ),
)
