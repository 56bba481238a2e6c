"""A teacher for the cluster: an OpenAI-compatible endpoint that is wrong, and then says so.

It runs in a pod on the standard library alone. Whatever it is asked it answers the same, so
that a run which was disturbed can be compared with one that was not; as it is never right at
once, every sample goes through the revision loop.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def answer(messages: list[dict[str, str]]) -> str:
    """Return a wrong answer, of the right form, that depends on the messages alone."""
    first = messages[0]["content"]
    turn = sum(message["role"] == "assistant" for message in messages) + 1
    value = f"attempt {turn} at {len(first)} characters"
    return f'I followed it step by step.\n\n```json\n{{"output": "{value}"}}\n```'


class Teacher(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = {
            "id": "one", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [{
                "index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": answer(body["messages"])},
            }],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }  # fmt: skip
        data = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Teacher).serve_forever()
