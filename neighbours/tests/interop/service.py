"""A service in Python with sentry-sdk, which does what a test tells it.

Its input has a JSON object on each line: what to do, by name, and with which
arguments. For each it writes a line with the result. The first line that it
writes is the URL that it serves. It ends when its input does.
"""

import http.client
import json
import subprocess
import sys
from threading import Thread
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import sentry_sdk
from sentry_sdk.integrations.threading import ThreadingIntegration
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware


def init(**options):
    """From now on it is the program that these options describe."""
    sentry_sdk.get_client().close()
    sentry_sdk.init(
        auto_session_tracking=False,
        # With it uploads become spans of the transaction in which the first one starts.
        disabled_integrations=[ThreadingIntegration()],
        **options,
    )


def call(url, headers, name):
    """Calls the URL in a new trace, and says what was answered."""
    with sentry_sdk.isolation_scope() as scope:
        scope.set_new_propagation_context()
        with sentry_sdk.start_transaction(op="task", name=name, source="route"):
            answer = get(url, headers)
            sentry_sdk.capture_message("called")
    sentry_sdk.flush()
    return answer


def run(arguments, variables):
    """Runs a child process in a new trace, and says how it ended and what it was told."""
    with sentry_sdk.isolation_scope() as scope:
        scope.set_new_propagation_context()
        with sentry_sdk.start_transaction(op="task", name="run"):
            # By itself sentry-sdk sets variables of other names.
            variables["SENTRY_TRACE"] = sentry_sdk.get_traceparent()
            variables["SENTRY_BAGGAGE"] = sentry_sdk.get_baggage()
            sentry_sdk.capture_message("ran")
            child = subprocess.run(
                arguments,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60,
                text=True,
            )
    sentry_sdk.flush()
    call = {
        "sentry_trace": variables["SENTRY_TRACE"],
        "baggage": variables["SENTRY_BAGGAGE"],
    }
    return [child.returncode, child.stdout, call]


def message():
    """Reports a message outside of any transaction."""
    sentry_sdk.capture_message("started")
    sentry_sdk.flush()


def flush():
    """Waits until all that was reported has arrived."""
    sentry_sdk.flush()


def get(url, headers):
    """Makes a request, to which sentry-sdk adds headers of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request("GET", "/", headers=headers)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


def answer(environ, start_response):
    """Answers with the headers that came in here, and at those that are called from here."""
    arrived = {
        "sentry_trace": environ.get("HTTP_SENTRY_TRACE"),
        "baggage": environ.get("HTTP_BAGGAGE"),
    }
    following = environ.get("HTTP_X_NEXT")
    further = get(following, {}) if following else []
    sentry_sdk.capture_message("answered")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([arrived, *further]).encode()]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def main():
    app = SentryWsgiMiddleware(answer)
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        say(f"http://127.0.0.1:{server.server_port}/")
        for line in sys.stdin:
            ((command, arguments),) = json.loads(line).items()
            say(COMMANDS[command](**arguments))
        server.shutdown()


def say(result):
    print(json.dumps(result), flush=True)


COMMANDS = {
    "call": call,
    "flush": flush,
    "init": init,
    "message": message,
    "run": run,
}

if __name__ == "__main__":
    main()
