import json

from routing import envelope


def test_the_cost_stands_in_the_usage_of_a_whole_answer():
    body = envelope.priced_body(b'{"id":"x","usage":{"input_tokens":3}}', cost_nusd=1_234_567)
    usage = json.loads(body)["usage"]
    assert usage == {"input_tokens": 3, "cost": 0.001234567, "total_cost": 0.001234567,
                     "is_byok": False}  # fmt: skip


def test_the_last_nano_dollar_is_told():
    body = envelope.priced_body(b'{"usage":{}}', cost_nusd=123_456_000_000_001)
    assert b'"cost":123456.000000001' in body


def test_what_has_no_usage_stays_as_it_is():
    for body in (b'{ "data": [1] }', b"RIFF\x00\xff", b"[]", b""):
        assert envelope.priced_body(body, cost_nusd=5) == body


def test_a_streams_end_is_priced_event_by_event():
    delta = b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":2}}\n\n'
    stop = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    told = envelope.priced_events(delta + stop, cost_nusd=7)
    assert told.endswith(stop)
    assert told.startswith(b"event: message_delta\ndata: {")
    first = told.split(b"\n\n")[0].partition(b"data: ")[2]
    assert json.loads(first)["usage"]["cost"] == 7e-9
    nested = b'data: {"type":"response.completed","response":{"usage":{"total_tokens":1}}}\n\n'
    priced = json.loads(envelope.priced_events(nested, cost_nusd=7)[6:])
    assert priced["response"]["usage"]["cost"] == 7e-9


def test_an_end_that_was_cut_is_passed_on():
    assert envelope.priced_events(b"data: [DONE]", cost_nusd=1) == b"data: [DONE]"
    assert envelope.priced_events(b"", cost_nusd=1) == b""
