"""A gateway worker whose intents are not fenced: the control of the pause proof, which must fail.

`python -m tests.e2e.unfenced_worker --fd N`, as `python -m bananarouter.serve`. It is reachable by
no setting: the SQL without the fence lives with the tests alone.
"""

from bananarouter import env, serve

env.use_settings()

from tests.billing import unfenced  # noqa: E402 - needs the settings

if __name__ == "__main__":
    unfenced.install()
    serve.main()
